//! A node's report cut into pages that fit into one message of a stock NATS server (1 MiB).
//! What is in the report is put together in `whole`; putting pages together is the business of whoever asks.

use super::whole::Whole;
use weft_wire::{
    ConnectionReport, HubReport, IdleReport, MuxerReport, NodeReport, PublisherReport, ReaderReport,
    SessionDetail,
};

/// Entries of a page: publishers, hubs, idle sessions, connections, muxers.
const PAGE_ENTRIES: usize = 300;
/// Bytes of a page, as estimated.
const PAGE_BYTES: usize = 500_000;
/// Estimated bytes of a reader without its texts; rather too many.
const READER: usize = 300;
/// The same of a publisher without its parameter sets and texts, or of a hub without its readers.
const ENTRY: usize = 600;

/// One entry of a page.
enum Entry {
    Publisher(PublisherReport),
    Hub(HubReport),
    Idle(IdleReport),
    Connection(ConnectionReport),
    Muxer(MuxerReport),
}

impl Entry {
    fn weight(&self) -> usize {
        match self {
            Self::Publisher(publisher) => {
                let sets = publisher.info.tracks.iter().flat_map(|t| &t.parameter_sets);
                ENTRY + sets.map(|set| set.len()).sum::<usize>() + texts(&publisher.detail)
            }
            Self::Hub(hub) => ENTRY + hub.readers.iter().map(reader_weight).sum::<usize>(),
            Self::Idle(idle) => ENTRY + reader_weight(&idle.reader),
            Self::Connection(_) | Self::Muxer(_) => READER,
        }
    }
}

fn reader_weight(reader: &ReaderReport) -> usize {
    READER + texts(&reader.detail)
}

fn texts(detail: &SessionDetail) -> usize {
    detail.query.len() + detail.user.len() + detail.user_agent.len()
}

/// The page that begins after `from` entries, in the order of [`Entry`]. A page holds at least one, so that the asker gets
/// on; who comes or goes between two pages may be seen twice or not at all.
pub(crate) fn page(whole: Whole, from: u32) -> NodeReport {
    let entries: Vec<Entry> = (whole.publishers.into_iter().map(Entry::Publisher))
        .chain(whole.hubs.into_iter().flat_map(pieces).map(Entry::Hub))
        .chain(whole.idle.into_iter().map(Entry::Idle))
        .chain(whole.connections.into_iter().map(Entry::Connection))
        .chain(whole.muxers.into_iter().map(Entry::Muxer))
        .collect();
    let all = entries.len();
    let from = usize::try_from(from).unwrap_or(usize::MAX).min(all);
    let mut bytes = 0;
    let within = |entry: &&Entry| {
        bytes += entry.weight();
        bytes <= PAGE_BYTES
    };
    let fit = entries
        .iter()
        .skip(from)
        .take(PAGE_ENTRIES)
        .take_while(within)
        .count();
    let to = (from + fit.max(1)).min(all);
    let mut page = NodeReport {
        next: u32::try_from(to).ok().filter(|_| to < all),
        ..NodeReport::default()
    };
    for entry in entries.into_iter().take(to).skip(from) {
        match entry {
            Entry::Publisher(publisher) => page.publishers.push(publisher),
            Entry::Hub(hub) => page.hubs.push(hub),
            Entry::Idle(idle) => page.idle.push(idle),
            Entry::Connection(connection) => page.connections.push(connection),
            Entry::Muxer(muxer) => page.muxers.push(muxer),
        }
    }
    page
}

/// A hub with its readers in as many entries as are needed; the bytes it sent stand in the first.
fn pieces(mut hub: HubReport) -> Vec<HubReport> {
    let mut pieces = Vec::new();
    let mut bytes = ENTRY;
    let mut piece = Vec::new();
    for reader in std::mem::take(&mut hub.readers) {
        bytes += reader_weight(&reader);
        if bytes > PAGE_BYTES {
            bytes = ENTRY + reader_weight(&reader);
            pieces.push(HubReport {
                readers: std::mem::take(&mut piece),
                ..hub.clone()
            });
            hub.bytes_sent = 0;
        }
        piece.push(reader);
    }
    pieces.push(HubReport {
        readers: piece,
        ..hub
    });
    pieces
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
