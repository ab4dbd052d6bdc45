//! What deserves a word about the values together although nothing is wrong: who is left without a permission, a certificate
//! that no port shows. Words about single keys are `layers`' business.

use crate::{Action, AuthMethod, Config, Encryption, FaceTls, HlsVariant};

/// One line each.
pub(super) fn of(config: &Config) -> Vec<String> {
    [nobody(config), certificate(config), transport_streams(config)]
        .into_iter()
        .flatten()
        .collect()
}

/// A list of users stands in the place of MediaMTX's: whoever writes it for publishers alone leaves nobody to read.
fn nobody(config: &Config) -> Option<String> {
    if config.auth.method != AuthMethod::Internal {
        return None;
    }
    let wanted = [
        (Action::Publish, true),
        (Action::Read, true),
        (Action::Api, config.api),
        (Action::Metrics, config.metrics),
    ];
    let permitted = |action| {
        let users = config.auth.users.iter();
        users
            .flat_map(|user| &user.permissions)
            .any(|p| p.action == action)
    };
    let missing: Vec<&str> = wanted
        .into_iter()
        .filter(|(action, wanted)| *wanted && !permitted(*action))
        .map(|(action, _)| action.as_str())
        .collect();
    (!missing.is_empty()).then(|| {
        format!(
            "authInternalUsers: nobody has the permission to: {}; the list stands in the place of the default users, so write \
             one for each who needs it",
            missing.join(", ")
        )
    })
}

fn transport_streams(config: &Config) -> Option<String> {
    (config.hls.variant == HlsVariant::MpegTs)
        .then(|| "hlsVariant: mpegts is served as fmp4, which every player of today takes; write fmp4 or lowLatency".to_owned())
}

fn certificate(config: &Config) -> Option<String> {
    let faces = [
        ("rtspServerCert", &config.rtsp_tls),
        ("webrtcServerCert", &config.webrtc_tls),
        ("hlsServerCert", &config.hls_tls),
        ("apiServerCert", &config.api_tls),
        ("metricsServerCert", &config.metrics_tls),
    ];
    if faces.iter().any(|(_, face)| face.encryption != Encryption::No) {
        return None;
    }
    let usual = FaceTls::default().files;
    let (key, _) = faces.into_iter().find(|(_, face)| face.files != usual)?;
    Some(format!(
        "{key}: a certificate is given and no port speaks TLS; switch it on with webrtcTLSAddress, webrtcEncryption, \
         rtspEncryption, hlsEncryption, apiEncryption or metricsEncryption"
    ))
}
