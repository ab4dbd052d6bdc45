//! The messages that answer a `units` request: batches as on a media subject, then the end.
//! Both are told apart by their outermost array, so that neither needs a header or a subject of its own.

use crate::{Error, Message, UnitBatch, UnitPart, UnitsEnd, decode_batch};
use bytes::Bytes;

/// MessagePack's mark of an array of two: version and body of a [`Message`]. A batch is an array of five or more for ever.
const ARRAY_OF_TWO: u8 = 0x92;

/// One message of an answer to `units`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnitsReply {
    /// Units, each with the part of it that this is.
    Units(UnitBatch, Vec<UnitPart>),
    /// The last message of the answer.
    End(UnitsEnd),
}

impl UnitsReply {
    /// Reads one message; units' data are slices of it.
    ///
    /// # Errors
    /// As [`decode_batch`] and [`Message::decode`].
    pub fn decode(message: &Bytes) -> Result<Self, Error> {
        if message.first() == Some(&ARRAY_OF_TWO) {
            UnitsEnd::decode(message).map(Self::End)
        } else {
            decode_batch(message).map(|(batch, parts)| Self::Units(batch, parts))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Epoch, SentTime, SessionId, UnitSeq, encode_batch};

    #[test]
    fn batches_and_the_end_are_told_apart_by_their_first_byte() {
        let end = UnitsEnd {
            session: SessionId([7; 16]),
            epoch: Epoch {
                generation: 1,
                revision: 2,
            },
            next: UnitSeq(9),
            gone: false,
            sent: SentTime(5),
            tracks: vec![],
            key_age_ms: u32::MAX,
        };
        assert_eq!(UnitsReply::decode(&end.encode()).unwrap(), UnitsReply::End(end));
        let batch = UnitBatch {
            session: SessionId([7; 16]),
            epoch: Epoch::default(),
            units: vec![],
        };
        assert_eq!(
            UnitsReply::decode(&encode_batch(&batch)).unwrap(),
            UnitsReply::Units(batch, vec![])
        );
        assert!(UnitsReply::decode(&Bytes::new()).is_err());
    }
}
