//! The bus's messages: any bytes are refused or are a message that is the same when encoded and decoded again; units are
//! slices of their message.

use bytes::Bytes;
use std::fmt::Debug;
use weft_wire::{
    CloseReply, CloseRequest, DemandReply, DemandRequest, DrainReply, DrainRequest, KeyframeRequest, Kick,
    MAX_UNIT_BYTES, Message, NodeName, NodeRecord, NodeReport, OfferReply, OfferRequest, OwnerInfo,
    OwnerRequest, PublisherEvent, ReportRequest, ResourceReply, ResourceRequest, StreamEnded, StreamName,
    StreamRecord, Subject, UnitsEnd, UnitsReply, UnitsRequest, decode_batch, encode_batch, nal_units,
};

/// Decodes the input as every message and name there is.
pub fn wire_decode(data: &[u8]) {
    let message = Bytes::copy_from_slice(data);
    batch(&message);
    // Either answers or refuses, whatever the first byte says.
    let _either = UnitsReply::decode(&message);
    again::<UnitsRequest>(data);
    again::<UnitsEnd>(data);
    again::<KeyframeRequest>(data);
    again::<OwnerRequest>(data);
    again::<OwnerInfo>(data);
    again::<Kick>(data);
    again::<StreamEnded>(data);
    again::<StreamRecord>(data);
    again::<NodeRecord>(data);
    again::<OfferRequest>(data);
    again::<OfferReply>(data);
    again::<ResourceRequest>(data);
    again::<ResourceReply>(data);
    again::<PublisherEvent>(data);
    again::<CloseRequest>(data);
    again::<CloseReply>(data);
    again::<ReportRequest>(data);
    again::<NodeReport>(data);
    again::<DrainRequest>(data);
    again::<DrainReply>(data);
    again::<DemandRequest>(data);
    again::<DemandReply>(data);
    assert!(nal_units(data).map(|nal| nal.len() + 4).sum::<usize>() <= data.len());
    if let Ok(text) = std::str::from_utf8(data) {
        names(text);
    }
}

fn batch(message: &Bytes) {
    let Ok((batch, parts)) = decode_batch(message) else {
        return;
    };
    assert_eq!(batch.units.len(), parts.len());
    let inside = message.as_ptr_range();
    for (unit, part) in batch.units.iter().zip(&parts) {
        assert!(unit.data.len() <= MAX_UNIT_BYTES && part.part < part.parts);
        let data = unit.data.as_ptr_range();
        assert!(unit.data.is_empty() || inside.start <= data.start && data.end <= inside.end);
    }
    let bytes = encode_batch(&batch);
    assert!(bytes.len() <= weft_wire::batch_bound(&batch.units));
    assert_eq!(decode_batch(&bytes).expect("we read what we write").0, batch);
}

fn again<M: Message + PartialEq + Debug>(data: &[u8]) {
    if let Ok(message) = M::decode(data) {
        assert_eq!(
            M::decode(&message.encode()).expect("we read what we write"),
            message
        );
    }
}

fn names(text: &str) {
    if let Ok(name) = StreamName::new(text) {
        assert_eq!(StreamName::from_escaped(&name.escaped()), Some(name.clone()));
        assert_eq!(Subject::AllMedia(name).to_string().split('.').count(), 4);
    }
    if let Some(name) = StreamName::from_escaped(text) {
        assert_eq!(name.escaped(), text);
    }
    if let Ok(name) = NodeName::new(text) {
        assert_eq!(NodeName::from_escaped(&name.escaped()), Some(name));
    }
    assert!(Subject::stream_verb(text).is_none() || text.starts_with("weft.stream."));
}
