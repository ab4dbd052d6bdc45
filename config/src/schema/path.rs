//! The keys of a path: MediaMTX's, and `onEvent`, which is ours.
//! What they mean for those who write them stands in `weft.yml`.

use super::Kind::{Count, Demand, Ip, List, Number, Record, Secret, Span, Switch, Text, Url, Word};
use super::{Key, Kind, Role, fixed, key, old, unserved};

/// A key that is shown only where it is written.
const fn quiet(name: &'static str, kind: Kind) -> Key {
    Key {
        name,
        kind,
        default: "",
        role: Role::Quiet,
    }
}

/// A key of a Raspberry Pi's camera.
const fn camera(name: &'static str, kind: Kind, default: &'static str) -> Key {
    unserved("the Raspberry Pi camera", name, kind, default)
}

/// An old key of something that is not served.
const fn gone(what: &'static str, name: &'static str, kind: Kind) -> Key {
    Key {
        name,
        kind,
        default: "",
        role: Role::Gone(what),
    }
}

const TRACK: &[Key] = &[
    key("codec", Text, ""),
    key("sampleRate", Count, "0"),
    key("channelCount", Count, "0"),
    key("muLaw", Switch, "no"),
];

const FORWARD: &[Key] = &[
    key("dest", Url, ""),
    key("destFingerprint", Text, ""),
    key("whipBearerToken", Secret, ""),
];

const TRANSPORT: Kind = Word(&["automatic", "udp", "multicast", "tcp"]);
const RTSP_SOURCE: &str = "a pulled RTSP source is taken as it comes";
const CLOCK: &str = "each picture carries the publisher's clock wherever it has one";

/// All of them.
pub(crate) const PATH: &[Key] = &[
    key("source", Url, "publisher"),
    unserved("TLS of pulled sources", "sourceFingerprint", Text, ""),
    key("sourceOnDemand", Switch, "no"),
    key("sourceOnDemandStartTimeout", Span, "10s"),
    key("sourceOnDemandCloseAfter", Span, "10s"),
    key("maxReaders", Count, "0"),
    unserved("SRT", "srtReadPassphrase", Secret, ""),
    fixed(CLOCK, "useAbsoluteTimestamp", Switch, "no"),
    unserved("alwaysAvailable", "alwaysAvailable", Switch, "no"),
    unserved(
        "alwaysAvailable",
        "alwaysAvailableTracks",
        List(&Record(TRACK)),
        "",
    ),
    unserved("alwaysAvailable", "alwaysAvailableFile", Text, ""),
    unserved("forwarding", "forward", List(&Record(FORWARD)), ""),
    unserved("recording", "record", Switch, "no"),
    unserved(
        "recording",
        "recordPath",
        Text,
        "./recordings/%path/%Y-%m-%d_%H-%M-%S-%f",
    ),
    unserved("recording", "recordFormat", Word(&["fmp4", "mpegts"]), "fmp4"),
    unserved("recording", "recordPartDuration", Span, "1s"),
    unserved("recording", "recordMaxPartSize", Text, "50M"),
    unserved("recording", "recordSegmentDuration", Span, "1h"),
    unserved("recording", "recordDeleteAfter", Span, "1d"),
    key("overridePublisher", Switch, "yes"),
    unserved("SRT", "srtPublishPassphrase", Secret, ""),
    unserved("MPEG-TS within RTSP", "rtspDemuxMpegts", Switch, "no"),
    key("rtspTransport", TRANSPORT, "automatic"),
    fixed(RTSP_SOURCE, "rtspAnyPort", Switch, "no"),
    fixed(
        RTSP_SOURCE,
        "rtspRangeType",
        Word(&["", "clock", "npt", "smpte"]),
        "",
    ),
    fixed(RTSP_SOURCE, "rtspRangeStart", Text, ""),
    fixed(RTSP_SOURCE, "rtspScale", Text, ""),
    fixed(RTSP_SOURCE, "rtspUDPSourcePortRange", List(&Count), "32768,60999"),
    unserved("RTP sources", "rtpSDP", Text, ""),
    unserved("MoQ", "moqTransport", Text, "quic"),
    unserved("WHEP sources", "whepBearerToken", Secret, ""),
    unserved("WHEP sources", "whepSTUNGatherTimeout", Span, "5s"),
    unserved("WHEP sources", "whepHandshakeTimeout", Span, "10s"),
    unserved("WHEP sources", "whepTrackGatherTimeout", Span, "2s"),
    key("sourceRedirect", Url, ""),
    camera("rpiCameraCamID", Count, "0"),
    camera("rpiCameraSecondary", Switch, "no"),
    camera("rpiCameraWidth", Count, "1920"),
    camera("rpiCameraHeight", Count, "1080"),
    camera("rpiCameraHFlip", Switch, "no"),
    camera("rpiCameraVFlip", Switch, "no"),
    camera("rpiCameraBrightness", Number, "0"),
    camera("rpiCameraContrast", Number, "1"),
    camera("rpiCameraSaturation", Number, "1"),
    camera("rpiCameraSharpness", Number, "1"),
    camera("rpiCameraExposure", Text, "normal"),
    camera("rpiCameraAWB", Text, "auto"),
    camera("rpiCameraAWBGains", List(&Number), "0,0"),
    camera("rpiCameraDenoise", Text, "off"),
    camera("rpiCameraShutter", Count, "0"),
    camera("rpiCameraMetering", Text, "centre"),
    camera("rpiCameraGain", Number, "0"),
    camera("rpiCameraEV", Number, "0"),
    camera("rpiCameraROI", Text, ""),
    camera("rpiCameraHDR", Switch, "no"),
    camera("rpiCameraTuningFile", Text, ""),
    camera("rpiCameraMode", Text, ""),
    camera("rpiCameraFPS", Number, "30"),
    camera("rpiCameraAfMode", Text, "continuous"),
    camera("rpiCameraAfRange", Text, "normal"),
    camera("rpiCameraAfSpeed", Text, "normal"),
    camera("rpiCameraLensPosition", Number, "0"),
    camera("rpiCameraAfWindow", Text, ""),
    camera("rpiCameraFlickerPeriod", Count, "0"),
    camera("rpiCameraTextOverlayEnable", Switch, "no"),
    camera("rpiCameraTextOverlay", Text, "%Y-%m-%d %H:%M:%S - MediaMTX"),
    camera("rpiCameraCodec", Text, "auto"),
    camera("rpiCameraIDRPeriod", Count, "60"),
    camera("rpiCameraBitrate", Count, "5000000"),
    camera("rpiCameraH264Profile", Text, "auto"),
    camera("rpiCameraH264Level", Text, "4.1"),
    camera("rpiCameraMJPEGQuality", Count, "60"),
    key("runOnInit", Text, ""),
    key("runOnInitRestart", Switch, "no"),
    key("runOnDemand", Demand, ""),
    key("runOnDemandRestart", Switch, "no"),
    key("runOnDemandStartTimeout", Span, "10s"),
    key("runOnDemandCloseAfter", Span, "10s"),
    key("runOnUnDemand", Text, ""),
    key("runOnAvailable", Text, ""),
    key("runOnAvailableRestart", Switch, "no"),
    key("runOnUnavailable", Text, ""),
    key("runOnOnline", Text, ""),
    key("runOnOnlineRestart", Switch, "no"),
    key("runOnOffline", Text, ""),
    key("runOnRead", Text, ""),
    key("runOnReadRestart", Switch, "no"),
    key("runOnUnread", Text, ""),
    unserved("recording", "runOnRecordSegmentCreate", Text, ""),
    unserved("recording", "runOnRecordSegmentComplete", Text, ""),
    key("onEvent", Url, ""),
    key("onEventSecret", Secret, ""),
    quiet("publishUser", Text),
    quiet("publishPass", Secret),
    quiet("publishIPs", List(&Ip)),
    quiet("readUser", Text),
    quiet("readPass", Secret),
    quiet("readIPs", List(&Ip)),
    // Old names.
    old("name", Text),
    old("runOnReady", Text),
    old("runOnReadyRestart", Switch),
    old("runOnNotReady", Text),
    old("disablePublisherOverride", Switch),
    old("sourceProtocol", TRANSPORT),
    old("sourceAnyPortEnable", Switch),
    // Old names of what never gets an effect again.
    gone("fallback", "fallback", Text),
    gone("playback", "playback", Switch),
    gone("socket buffers", "rtspUDPReadBufferSize", Count),
    gone("socket buffers", "mpegtsUDPReadBufferSize", Count),
    gone("socket buffers", "rtpUDPReadBufferSize", Count),
    gone("the Raspberry Pi camera", "rpiCameraProfile", Text),
    gone("the Raspberry Pi camera", "rpiCameraLevel", Text),
    gone("the Raspberry Pi camera", "rpiCameraHardwareH264Profile", Text),
    gone("the Raspberry Pi camera", "rpiCameraHardwareH264Level", Text),
    gone("the Raspberry Pi camera", "rpiCameraSoftwareH264Profile", Text),
    gone("the Raspberry Pi camera", "rpiCameraSoftwareH264Level", Text),
    gone("the Raspberry Pi camera", "rpiCameraJPEGQuality", Count),
];
