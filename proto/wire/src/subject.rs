//! Every subject string of the fabric, made and read in one place.
//! Names are escaped by [`StreamName::escaped`]; nothing else builds a subject by hand.

use crate::{NodeName, SessionId, StreamName, TrackId};

/// What kind of unit a media subject carries, so that a reader of key frames pays for key frames only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MediaClass {
    /// `k`: key units.
    Key,
    /// `d`: other video.
    Delta,
    /// `a`: audio.
    Audio,
}

impl MediaClass {
    /// Its letter in the subject.
    #[must_use]
    pub fn letter(self) -> char {
        match self {
            Self::Key => 'k',
            Self::Delta => 'd',
            Self::Audio => 'a',
        }
    }
}

/// What can be asked of the owner of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StreamVerb {
    /// Units of the past, then live ones.
    Units,
    /// A fresh key unit.
    Keyframe,
    /// Who owns it, with tracks and counters.
    Owner,
    /// End its publisher.
    Kick,
}

impl StreamVerb {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Units, Self::Keyframe, Self::Owner, Self::Kick];

    /// Its token in the subject.
    #[must_use]
    pub fn token(self) -> &'static str {
        match self {
            Self::Units => "units",
            Self::Keyframe => "keyframe",
            Self::Owner => "owner",
            Self::Kick => "kick",
        }
    }
}

/// What can be asked of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NodeVerb {
    /// To take a publisher that another node passes on.
    Offer,
    /// What reached another node about a session of this one.
    Resource,
    /// To close a session.
    Close,
    /// What is on it.
    Report,
    /// To drain.
    Drain,
    /// To have a stream published that somebody wants to read.
    Demand,
}

impl NodeVerb {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Offer,
        Self::Resource,
        Self::Close,
        Self::Report,
        Self::Drain,
        Self::Demand,
    ];

    /// Its token in the subject.
    #[must_use]
    pub fn token(self) -> &'static str {
        match self {
            Self::Offer => "offer",
            Self::Resource => "resource",
            Self::Close => "close",
            Self::Report => "report",
            Self::Drain => "drain",
            Self::Demand => "demand",
        }
    }
}

/// A subject of the fabric.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Subject {
    /// `weft.media.<stream>.<track>.<class>`: units of one class of one track.
    Media(StreamName, TrackId, MediaClass),
    /// `weft.media.<stream>.>`: everything of one stream.
    AllMedia(StreamName),
    /// `weft.media.<stream>.*.k`: key units of every track.
    KeyMedia(StreamName),
    /// `weft.media.<stream>.end.k`: the owner's last word. In the place of a track's key units, so that a subscription to
    /// all media and one to key units both hear it, in order.
    End(StreamName),
    /// `weft.stream.<stream>.<verb>`: a question to its owner.
    Stream(StreamName, StreamVerb),
    /// `weft.stream.<stream>.*`: every question to its owner.
    AllStream(StreamName),
    /// `weft.node.<node>.<verb>`: a question to a node.
    Node(NodeName, NodeVerb),
    /// `weft.node.<node>.*`: every question to a node.
    AllNode(NodeName),
    /// `weft.event.publisher.<session>`: what is said to a publisher, for the node that holds its events channel.
    Publisher(SessionId),
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Media(s, t, c) => write!(f, "weft.media.{}.{}.{}", s.escaped(), t.0, c.letter()),
            Self::AllMedia(s) => write!(f, "weft.media.{}.>", s.escaped()),
            Self::KeyMedia(s) => write!(f, "weft.media.{}.*.k", s.escaped()),
            Self::End(s) => write!(f, "weft.media.{}.end.k", s.escaped()),
            Self::Stream(s, v) => write!(f, "weft.stream.{}.{}", s.escaped(), v.token()),
            Self::AllStream(s) => write!(f, "weft.stream.{}.*", s.escaped()),
            Self::Node(n, v) => write!(f, "weft.node.{}.{}", n.escaped(), v.token()),
            Self::AllNode(n) => write!(f, "weft.node.{}.*", n.escaped()),
            Self::Publisher(session) => write!(f, "weft.event.publisher.{session}"),
        }
    }
}

impl Subject {
    /// Reads the verb of a `weft.stream.<stream>.<verb>` subject.
    #[must_use]
    pub fn stream_verb(subject: &str) -> Option<StreamVerb> {
        let mut tokens = subject.strip_prefix("weft.stream.")?.splitn(2, '.').skip(1);
        let token = tokens.next()?;
        StreamVerb::ALL.into_iter().find(|v| v.token() == token)
    }

    /// Reads the verb of a `weft.node.<node>.<verb>` subject.
    #[must_use]
    pub fn node_verb(subject: &str) -> Option<NodeVerb> {
        let mut tokens = subject.strip_prefix("weft.node.")?.splitn(2, '.').skip(1);
        let token = tokens.next()?;
        NodeVerb::ALL.into_iter().find(|v| v.token() == token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_have_a_fixed_number_of_tokens_whatever_the_name() {
        let s = StreamName::new("exam.1/cam.2").unwrap();
        let media = Subject::Media(s.clone(), TrackId(0), MediaClass::Key).to_string();
        assert_eq!(media, "weft.media.exam=2E1/cam=2E2.0.k");
        assert_eq!(media.split('.').count(), 5);
        assert_eq!(
            Subject::stream_verb(&Subject::Stream(s.clone(), StreamVerb::Units).to_string()),
            Some(StreamVerb::Units)
        );
        assert_eq!(Subject::stream_verb("weft.stream.x.nothing"), None);
        assert_eq!(Subject::AllMedia(s).to_string(), "weft.media.exam=2E1/cam=2E2.>");
    }
}
