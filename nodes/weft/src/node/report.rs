//! A node's report cut into pages that fit into one message of a stock NATS server (1 MiB).
//! What is in the report is ingest's and egress's business, putting pages together that of whoever asks.

use weft_wire::{HubReport, NodeReport, PublisherReport};

/// Publishers and hubs of a page.
const PAGE_ENTRIES: usize = 300;
/// Bytes of a page, as estimated.
const PAGE_BYTES: usize = 500_000;
/// Estimated bytes of a reader; rather too many.
const READER: usize = 120;
/// The same of a publisher without its parameter sets, or of a hub without its readers.
const ENTRY: usize = 600;
/// Readers of one hub in one entry; a hub with more has several.
const ENTRY_READERS: usize = 3_000;

/// The page that begins after `from` publishers and hubs, in this order. A page holds at least one, so that the asker gets
/// on; who comes or goes between two pages may be seen twice or not at all.
pub(crate) fn page(publishers: Vec<PublisherReport>, hubs: Vec<HubReport>, from: u32) -> NodeReport {
    let hubs: Vec<HubReport> = hubs.into_iter().flat_map(entries).collect();
    let all = publishers.len() + hubs.len();
    let from = usize::try_from(from).unwrap_or(usize::MAX).min(all);
    let weights = publishers.iter().map(publisher_weight);
    let weights = weights.chain(hubs.iter().map(|hub| ENTRY + hub.readers.len() * READER));
    let mut bytes = 0;
    let within = |weight: &usize| {
        bytes += weight;
        bytes <= PAGE_BYTES
    };
    let fit = weights.skip(from).take(PAGE_ENTRIES).take_while(within).count();
    let to = (from + fit.max(1)).min(all);
    let first_hub = publishers.len();
    NodeReport {
        publishers: publishers.into_iter().take(to).skip(from).collect(),
        hubs: hubs
            .into_iter()
            .take(to.saturating_sub(first_hub))
            .skip(from.saturating_sub(first_hub))
            .collect(),
        next: u32::try_from(to).ok().filter(|_| to < all),
    }
}

fn publisher_weight(publisher: &PublisherReport) -> usize {
    let sets = publisher.info.tracks.iter().flat_map(|t| &t.parameter_sets);
    ENTRY + sets.map(|set| set.len()).sum::<usize>()
}

/// A hub with its readers in as many entries as are needed; the bytes it sent stand in the first.
fn entries(mut hub: HubReport) -> Vec<HubReport> {
    let mut readers = std::mem::take(&mut hub.readers);
    let mut entries = Vec::new();
    while readers.len() > ENTRY_READERS {
        let rest = readers.split_off(ENTRY_READERS);
        entries.push(HubReport {
            readers: std::mem::replace(&mut readers, rest),
            ..hub.clone()
        });
        hub.bytes_sent = 0;
    }
    entries.push(HubReport { readers, ..hub });
    entries
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
