//! Users, passwords, permissions, the callback and JWT: what the file may say of them, and what is refused.
//! Judging requests by them is tested with the auth crate.
#![allow(clippy::unwrap_used, reason = "a failed step ends the test")]

use weft_config::{Action, Auth, AuthMethod, Config, Password, User};

fn auth(text: &str) -> Auth {
    Config::parse(text, "weft.yml").unwrap().auth
}

fn told(text: &str) -> String {
    Config::parse(text, "weft.yml")
        .map(|_| ())
        .unwrap_err()
        .to_string()
}

fn with_user(user: &str) -> String {
    format!("authInternalUsers:\n  - {{{user}}}\n")
}

/// What a user may do with a stream.
fn may(user: &User, stream: &str) -> Vec<Action> {
    let permissions = user
        .permissions
        .iter()
        .filter(|permission| permission.path.contains(stream));
    permissions.map(|permission| permission.action).collect()
}

#[test]
fn passwords_and_names_are_plain_or_hashed() {
    let digest = "jZae727K08KaOmKSgOaGzww/XVqGr/PKEgIMkjrcbJI=";
    let phc = "$argon2id$v=19$m=4096,t=3,p=1$c2FsdHNhbHQ$aGFzaA";
    let text = format!(
        "authInternalUsers:\n  - user: sha256:{digest}\n    pass: argon2:{phc}\n  - {{user: a, pass: 12345}}\n  - {{user: b}}\n"
    );
    let users = auth(&text).users;
    assert!(matches!(&users[0].name, Some(Password::Sha256(kept)) if kept.expose() == digest));
    assert!(matches!(&users[0].password, Password::Argon2(kept) if kept.expose() == phc));
    assert!(matches!(&users[1].password, Password::Plain(kept) if kept.expose() == "12345"));
    assert_eq!(users[2].password, Password::None);
    for (user, part) in [
        (
            "user: a, pass: 'sha256:xyz'",
            "authInternalUsers.0.pass: after 'sha256:' stands",
        ),
        (
            "user: a, pass: 'argon2:hello'",
            "authInternalUsers.0.pass: after 'argon2:' stands",
        ),
        ("user: ''", "authInternalUsers.0.user: empty"),
        ("pass: x", "authInternalUsers.0.user: empty"),
        (
            "user: any, pass: hidden",
            "authInternalUsers.0.pass: 'any' is whoever asks",
        ),
        (
            "user: 'a:b', pass: hidden",
            "authInternalUsers.0.user: a name cannot hold ':'",
        ),
        (
            "user: a, ips: [10.0.0.300]",
            "'10.0.0.300' is neither an IP address nor a network",
        ),
        (
            "user: a, permissions: [fly]",
            "authInternalUsers.0.permissions.0.action: 'fly' is not one of publish",
        ),
        (
            "user: a, permissions: [{path: x}]",
            "authInternalUsers.0.permissions.0.action: missing",
        ),
        (
            "user: a, permissions: [{action: read, path: '~('}]",
            "'(' is no regular expression",
        ),
        (
            "user: a, permission: []",
            "unknown key; did you mean 'authInternalUsers.0.permissions'?",
        ),
    ] {
        let text = told(&with_user(user));
        assert!(text.contains(part) && text.contains("line 2"), "{user}: {text}");
        assert!(!text.contains("hidden"), "{text}");
    }
}

#[test]
fn permissions_are_for_all_paths_one_or_those_an_expression_finds() {
    let users = auth(&with_user(
        "user: a, permissions: [publish, {action: read, path: cam}, {action: api, path: '~^exam_'}]",
    ))
    .users;
    assert_eq!(may(&users[0], "cam"), [Action::Publish, Action::Read]);
    assert_eq!(may(&users[0], "exam_1"), [Action::Publish, Action::Api]);
    assert_eq!(may(&users[0], "x"), [Action::Publish]);
}

#[test]
fn the_callback_and_jwt_need_an_address_and_digest_needs_passwords_as_they_are() {
    let http = auth("authMethod: http\nauthHTTPAddress: http://h:1/auth\nauthHTTPExclude: [{action: api}]\n");
    assert_eq!((http.method, http.http.exclude.len()), (AuthMethod::Http, 1));
    let old = auth("externalAuthenticationURL: https://h/auth\n");
    assert_eq!(
        (old.method, old.http.address.as_str()),
        (AuthMethod::Http, "https://h/auth")
    );
    let fingerprint = "AB:".repeat(31) + "CD";
    let jwt = auth(&format!(
        "authMethod: jwt\nauthJWTJWKS: https://h/keys\nauthJWTJWKSFingerprint: '{fingerprint}'\nauthJWTExclude: []\n"
    ));
    assert_eq!(jwt.jwt.jwks_fingerprint, "ab".repeat(31) + "cd");
    for (text, part) in [
        (
            "authMethod: http\n",
            "authHTTPAddress: 'authMethod: http' asks a server",
        ),
        ("authMethod: jwt\n", "authJWTJWKS: 'authMethod: jwt' needs"),
        (
            "authMethod: jwt\nauthJWTJWKS: https://h\nauthJWTClaimKey: ''\n",
            "authJWTClaimKey",
        ),
        ("authMethod: http\nauthHTTPAddress: h:1\n", "authHTTPAddress"),
        (
            "authJWTJWKSFingerprint: xyz\n",
            "authJWTJWKSFingerprint: no fingerprint",
        ),
        ("rtspAuthMethods: []\n", "rtspAuthMethods: empty"),
        (
            "rtspAuthMethods: [digest]\nauthMethod: http\nauthHTTPAddress: http://h\n",
            "'digest' works with 'authMethod: internal' alone",
        ),
        (
            "rtspAuthMethods: [basic, digest]\nauthInternalUsers: [{user: a, pass: 'sha256:jZae727K08KaOmKSgOaGzww/XVqGr/PKEgIMkjrcbJI='}]\n",
            "'digest' needs users and passwords as they are",
        ),
        ("authMethod: ldap\n", "'ldap' is not one of internal, http, jwt"),
    ] {
        let told = told(text);
        assert!(told.contains(part), "{text}: {told}");
    }
}

#[test]
fn logins_of_paths_mean_the_streams_of_that_path_alone() {
    let text = "paths:\n  cam: {readUser: r, readPass: p}\n  ~^exam: {publishUser: s, publishPass: q}\n  all_others:\n";
    let users = auth(text).users;
    let who = |action: Action, stream: &str| -> Vec<Option<&str>> {
        users
            .iter()
            .filter(|user| may(user, stream).contains(&action))
            .map(|user| match &user.name {
                Some(Password::Plain(name)) => Some(name.expose()),
                _ => None,
            })
            .collect()
    };
    assert_eq!(who(Action::Read, "cam"), [Some("r")]);
    assert_eq!(who(Action::Publish, "cam"), [None]);
    assert_eq!(who(Action::Publish, "exam_1"), [Some("s")]);
    assert_eq!(who(Action::Read, "exam_1"), [None]);
    assert_eq!(who(Action::Publish, "other"), [None]);
    let both = told(&format!("{text}authInternalUsers: [{{user: a}}]\n"));
    assert!(
        both.contains("line 5: authInternalUsers: logins of paths"),
        "{both}"
    );
    let nobody = told("paths: {cam: {readPass: hidden}}\n");
    assert!(
        nobody.contains("paths.cam.readUser: 'readPass' is given") && !nobody.contains("hidden"),
        "{nobody}"
    );
}
