//! Which server the gateway stands before, by the environment variables of the system it comes from.
//! Whether that server answers is found out later.

use url::Url;

/// The variables that name the server of publishers.
pub(crate) const WHIP: &str = "MEDIAMTX_WHIP_URL, or MEDIAMTX_HOST and MEDIAMTX_WHIP_PORT,";
/// The variables that name the server of readers.
pub(crate) const WHEP: &str = "MEDIAMTX_WHEP_URL, or else what names the WHIP server,";
/// The variables that name RTSP.
pub(crate) const RTSP: &str = "MEDIAMTX_HOST and MEDIAMTX_RTSP_PORT";

/// A variable that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{variable}: {why}")]
pub struct SettingsError {
    /// Its name.
    pub variable: &'static str,
    /// What is wrong, and how to write it.
    pub why: String,
}

/// The server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Scheme and authority of WHIP.
    pub whip: String,
    /// Scheme and authority of WHEP.
    pub whep: String,
    /// The host of RTSP; `None`: this host, so that clients reach it by the name by which they reach the gateway.
    pub rtsp_host: Option<String>,
    /// The port of RTSP.
    pub rtsp_port: u16,
}

impl Settings {
    /// From `MEDIAMTX_HOST` (`localhost`), `MEDIAMTX_WHIP_PORT` (8889), `MEDIAMTX_RTSP_PORT` (8554), `MEDIAMTX_WHIP_URL` and
    /// `MEDIAMTX_WHEP_URL`. A URL stands above host and port; of its path the part before `/whip` is replaced by each
    /// stream's name. Without a URL for WHEP it is where WHIP is; RTSP is on `MEDIAMTX_HOST`, else on the host of WHIP.
    ///
    /// # Errors
    /// The variable that cannot be used.
    pub fn from_env(variable: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let set = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let host = set("MEDIAMTX_HOST");
        let named = host
            .as_deref()
            .map(|host| bare_host("MEDIAMTX_HOST", host))
            .transpose()?;
        let whip_port = port("MEDIAMTX_WHIP_PORT", set("MEDIAMTX_WHIP_PORT"), 8889)?;
        let rtsp_port = port("MEDIAMTX_RTSP_PORT", set("MEDIAMTX_RTSP_PORT"), 8554)?;
        let whip = match set("MEDIAMTX_WHIP_URL") {
            Some(url) => origin("MEDIAMTX_WHIP_URL", &url, "whip")?,
            None => format!("http://{}:{whip_port}", named.as_deref().unwrap_or("localhost")),
        };
        let whep = match set("MEDIAMTX_WHEP_URL") {
            Some(url) => origin("MEDIAMTX_WHEP_URL", &url, "whep")?,
            None => whip.clone(),
        };
        let of_whip = || Url::parse(&whip).ok()?.host_str().map(str::to_owned);
        let rtsp_host = named.or_else(of_whip).filter(|host| !is_here(host));
        Ok(Self {
            whip,
            whep,
            rtsp_host,
            rtsp_port,
        })
    }

    /// Scheme and authority of RTSP for a client that reached the gateway as `host`.
    pub(crate) fn rtsp(&self, host: &str) -> String {
        let host = self.rtsp_host.as_deref().unwrap_or(host);
        format!("rtsp://{host}:{}", self.rtsp_port)
    }

    /// The server of a face, and the variables that name it.
    pub(crate) fn server(&self, face: crate::asked::Face) -> (&str, &'static str) {
        match face {
            crate::asked::Face::Whip => (&self.whip, WHIP),
            crate::asked::Face::Whep => (&self.whep, WHEP),
        }
    }
}

/// True for a name of the gateway's own host, which means another one to a client elsewhere.
fn is_here(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost")
        || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// A host as it stands in a URL, an IPv6 address in brackets.
fn bare_host(variable: &'static str, host: &str) -> Result<String, SettingsError> {
    let bracketed = match host.contains(':') && !host.starts_with('[') {
        true => format!("[{host}]"),
        false => host.to_owned(),
    };
    let url = Url::parse(&format!("http://{bracketed}/"));
    match url {
        Ok(url) if url.port().is_none() && url.path() == "/" && url.username().is_empty() => Ok(bracketed),
        _ => Err(SettingsError {
            variable,
            why: format!("'{host}' is no host; write a name or an address, without scheme and port"),
        }),
    }
}

fn port(variable: &'static str, value: Option<String>, default: u16) -> Result<u16, SettingsError> {
    let Some(value) = value else {
        return Ok(default);
    };
    match value.trim().parse() {
        Ok(port) if port != 0 => Ok(port),
        _ => Err(SettingsError {
            variable,
            why: format!("'{value}' is no port; write a number from 1 to 65535"),
        }),
    }
}

fn origin(variable: &'static str, text: &str, word: &str) -> Result<String, SettingsError> {
    let wrong = |why: String| SettingsError { variable, why };
    // What may be a credential is not shown.
    let form = format!("write it as http://host:8889/test/{word}");
    let url = Url::parse(text.trim()).map_err(|error| wrong(format!("{error}; {form}")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong(format!(
            "scheme '{}' is neither http nor https; {form}",
            url.scheme()
        )));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong(format!(
            "clients show their own credentials, it takes none; {form}"
        )));
    }
    let path = url.path().trim_end_matches('/');
    if !path.is_empty() && !path.ends_with(&format!("/{word}")) {
        return Err(wrong(format!("the path does not end in /{word}; {form}")));
    }
    Ok(url.origin().ascii_serialization())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Settings, String> {
        let get = |name: &str| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Settings::from_env(get).map_err(|error| error.to_string())
    }

    #[test]
    fn without_variables_it_is_the_server_of_this_host() {
        let settings = read(&[]).unwrap();
        assert_eq!(
            (&*settings.whip, &*settings.whep),
            ("http://localhost:8889", "http://localhost:8889")
        );
        assert_eq!(settings.rtsp("10.0.0.1"), "rtsp://10.0.0.1:8554");
        assert_eq!(
            read(&[("MEDIAMTX_HOST", ""), ("MEDIAMTX_WHIP_URL", " ")]).unwrap(),
            settings
        );
    }

    #[test]
    fn the_variables_of_the_old_system_name_the_server() {
        let settings = read(&[
            ("MEDIAMTX_HOST", "media"),
            ("MEDIAMTX_WHIP_PORT", "1"),
            ("MEDIAMTX_RTSP_PORT", "2"),
        ])
        .unwrap();
        assert_eq!(
            (&*settings.whip, &*settings.whep),
            ("http://media:1", "http://media:1")
        );
        assert_eq!(settings.rtsp("x"), "rtsp://media:2");
        let six = read(&[("MEDIAMTX_HOST", "fd00::7")]).unwrap();
        assert_eq!(
            (&*six.whip, &*six.rtsp("x")),
            ("http://[fd00::7]:8889", "rtsp://[fd00::7]:8554")
        );
    }

    #[test]
    fn a_url_stands_above_host_and_port() {
        let settings = read(&[
            ("MEDIAMTX_HOST", "localhost"),
            ("MEDIAMTX_WHIP_PORT", "8889"),
            ("MEDIAMTX_WHIP_URL", "https://a.example/live/test/whip"),
            ("MEDIAMTX_WHEP_URL", "http://b:7/test/whep/"),
        ])
        .unwrap();
        assert_eq!(
            (&*settings.whip, &*settings.whep),
            ("https://a.example", "http://b:7")
        );
        assert_eq!(settings.rtsp("x"), "rtsp://x:8554");
        let settings = read(&[("MEDIAMTX_WHIP_URL", "http://a:9/test/whip")]).unwrap();
        assert_eq!(
            (&*settings.whep, &*settings.rtsp("x")),
            ("http://a:9", "rtsp://a:8554")
        );
    }

    #[test]
    fn a_variable_that_cannot_be_used_is_named() {
        for (name, value, part) in [
            ("MEDIAMTX_HOST", "http://a", "'http://a' is no host"),
            ("MEDIAMTX_HOST", "a:8889", "is no host"),
            ("MEDIAMTX_WHIP_PORT", "0", "'0' is no port"),
            ("MEDIAMTX_RTSP_PORT", "x", "'x' is no port"),
            ("MEDIAMTX_WHIP_URL", "localhost:8889", "neither http nor https"),
            ("MEDIAMTX_WHIP_URL", "http://a/test/whep", "does not end in /whip"),
            ("MEDIAMTX_WHEP_URL", "http://u:secret@a/test/whep", "takes none"),
            (
                "MEDIAMTX_WHEP_URL",
                "nothing",
                "write it as http://host:8889/test/whep",
            ),
        ] {
            let error = read(&[(name, value)]).unwrap_err();
            assert!(
                error.starts_with(&format!("{name}: ")) && error.contains(part),
                "{error}"
            );
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
