//! An operator, an account with JetStream and a user, as JWTs that a nats-server in operator mode believes.
//! The form is of the NATS documentation ("JWT claims"): header `ed25519-nkey`, claims of version 2.

use data_encoding::{BASE32_NOPAD, BASE64URL_NOPAD};
use nkeys::KeyPair;
use serde_json::{Value, json};

/// Keys and their tokens.
pub(crate) struct Realm {
    operator: String,
    system: (String, String),
    account: (String, String),
    user: String,
    seed: String,
}

fn token(issuer: &KeyPair, subject: &str, name: &str, nats: &Value) -> String {
    let mut claims = json!({
        "iss": issuer.public_key(), "sub": subject, "name": name, "iat": 1_700_000_000, "nats": nats,
    });
    // The id is the hash of the claims without it; the server does not check it, but it must be there.
    claims["jti"] = json!(BASE32_NOPAD.encode(name.as_bytes()));
    let encode = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let header = json!({ "typ": "JWT", "alg": "ed25519-nkey" });
    let signed = format!("{}.{}", encode(&header), encode(&claims));
    let signature = issuer.sign(signed.as_bytes()).unwrap();
    format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature))
}

/// An account's claims; `store` is its bytes and streams of JetStream.
fn account(store: i64) -> Value {
    json!({
        "type": "account", "version": 2,
        "limits": {
            "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true, "conn": -1, "leaf": -1,
            "mem_storage": store, "disk_storage": store, "streams": store, "consumer": store,
        },
    })
}

impl Realm {
    pub(crate) fn new() -> Self {
        let (operator, system, own, user) = (
            KeyPair::new_operator(),
            KeyPair::new_account(),
            KeyPair::new_account(),
            KeyPair::new_user(),
        );
        let claims = json!({ "type": "operator", "version": 2, "system_account": system.public_key() });
        let permissions = json!({
            "type": "user", "version": 2, "subs": -1, "data": -1, "payload": -1, "pub": {}, "sub": {},
        });
        let of = |key: &KeyPair, name: &str, store| {
            (
                key.public_key(),
                token(&operator, &key.public_key(), name, &account(store)),
            )
        };
        Self {
            system: of(&system, "SYS", 0),
            account: of(&own, "WEFT", -1),
            user: token(&own, &user.public_key(), "node", &permissions),
            operator: token(&operator, &operator.public_key(), "operator", &claims),
            seed: user.seed().unwrap(),
        }
    }

    /// Lines for the server.
    pub(crate) fn server_configuration(&self) -> String {
        let preload = [&self.system, &self.account].map(|(key, token)| format!("  {key}: {token}\n"));
        format!(
            "operator: {}\nsystem_account: {}\nresolver: MEMORY\nresolver_preload: {{\n{}}}\n",
            self.operator,
            self.system.0,
            preload.concat()
        )
    }

    /// The user's `.creds` file.
    pub(crate) fn credentials(&self) -> String {
        format!(
            "-----BEGIN NATS USER JWT-----\n{}\n------END NATS USER JWT------\n\n\
             -----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
            self.user, self.seed
        )
    }
}
