//! The parameter sets a publisher has sent, by id, as bytes: what makes a key unit decodable on its own.
//! Bounded in number and size, because ids and lengths come from the network.

use super::{NalKind, bits::BitReader, sps::SpsInfo};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

/// Longest parameter set kept, in bytes; real ones have tens.
const MAX_SET_BYTES: usize = 2_048;
/// Most sets of each kind kept; real publishers have one or two.
const MAX_SETS: usize = 16;

/// Sequence and picture parameter sets, sorted by id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParameterSets {
    sps: Vec<(u32, Bytes)>,
    pps: Vec<Pps>,
    revision: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Pps {
    id: u32,
    sps: u32,
    nal: Bytes,
}

impl ParameterSets {
    /// None known.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// From NAL units; what is no parameter set is skipped.
    pub fn from_nals<'a>(nals: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut sets = Self::new();
        for nal in nals {
            sets.insert(nal);
        }
        sets
    }

    /// From `sprop-parameter-sets` (RFC 6184 §8.1); what cannot be read is skipped.
    #[must_use]
    pub fn from_sprop(value: &str) -> Self {
        let mut sets = Self::new();
        for set in value.split(',').take(2 * MAX_SETS) {
            if let Ok(nal) = STANDARD.decode(set.trim()) {
                sets.insert(&nal);
            }
        }
        sets
    }

    /// As the value of `sprop-parameter-sets`; empty when none are known.
    #[must_use]
    pub fn to_sprop(&self) -> String {
        let sets: Vec<String> = self.nals().map(|nal| STANDARD.encode(nal)).collect();
        sets.join(",")
    }

    /// Keeps an SPS or PPS NAL unit. A changed SPS takes the PPS that refer to it with it (ITU-T H.264 §7.4.1.2.1).
    /// True when anything changed.
    pub fn insert(&mut self, nal: &[u8]) -> bool {
        let changed = match nal.first().map(|h| NalKind::of(*h)) {
            _ if nal.len() > MAX_SET_BYTES => false,
            Some(NalKind::Sps) => self.insert_sps(nal),
            Some(NalKind::Pps) => self.insert_pps(nal),
            _ => false,
        };
        self.revision += u64::from(changed);
        changed
    }

    fn insert_sps(&mut self, nal: &[u8]) -> bool {
        let Some(id) = nal
            .get(4..)
            .and_then(|r| BitReader::new(r).ue())
            .filter(|id| *id <= 31)
        else {
            return false;
        };
        match self.sps.binary_search_by_key(&id, |(id, _)| *id) {
            Ok(at) if self.sps[at].1 == nal => false,
            Ok(at) => {
                self.sps[at].1 = Bytes::copy_from_slice(nal);
                self.pps.retain(|p| p.sps != id);
                true
            }
            // overflow: the set is ignored
            Err(_) if self.sps.len() == MAX_SETS => false,
            Err(at) => {
                self.sps.insert(at, (id, Bytes::copy_from_slice(nal)));
                true
            }
        }
    }

    fn insert_pps(&mut self, nal: &[u8]) -> bool {
        let mut r = BitReader::new(&nal[1..]);
        let (Some(id @ 0..=255), Some(sps @ 0..=31)) = (r.ue(), r.ue()) else {
            return false;
        };
        let pps = |nal| Pps {
            id,
            sps,
            nal: Bytes::copy_from_slice(nal),
        };
        match self.pps.binary_search_by_key(&id, |p| p.id) {
            Ok(at) if self.pps[at].nal == nal => false,
            Ok(at) => {
                self.pps[at] = pps(nal);
                true
            }
            // overflow: the set is ignored
            Err(_) if self.pps.len() == MAX_SETS => false,
            Err(at) => {
                self.pps.insert(at, pps(nal));
                true
            }
        }
    }

    /// True when there is a PPS whose SPS is there too.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.pps.iter().any(|p| self.has_sps(p.sps))
    }

    fn has_sps(&self, id: u32) -> bool {
        self.sps.iter().any(|(i, _)| *i == id)
    }

    /// The NAL units, SPS first; PPS without their SPS are left out.
    pub fn nals(&self) -> impl Iterator<Item = &Bytes> {
        let pps = self.pps.iter().filter(|p| self.has_sps(p.sps)).map(|p| &p.nal);
        self.sps.iter().map(|(_, nal)| nal).chain(pps)
    }

    /// The set with exactly these bytes.
    pub(super) fn find(&self, nal: &[u8]) -> Option<&Bytes> {
        let mut all = self
            .sps
            .iter()
            .map(|(_, nal)| nal)
            .chain(self.pps.iter().map(|p| &p.nal));
        all.find(|n| *n == nal)
    }

    /// What the first SPS says; `None` when there is none that can be read.
    #[must_use]
    pub fn info(&self) -> Option<SpsInfo> {
        SpsInfo::parse(&self.sps.first()?.1)
    }

    /// Rises with every change.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPS: &[u8] = &[0x67, 66, 0xc0, 30, 0xd9, 0];
    const SPS_CHANGED: &[u8] = &[0x67, 66, 0xc0, 31, 0xd9, 0];
    /// Ids 0 and 0; 1 and 0.
    const PPS: &[u8] = &[0x68, 0xce, 1];
    const PPS_1: &[u8] = &[0x68, 0b0101_0000, 1];

    #[test]
    fn sets_come_back_sps_first_whatever_the_order() {
        let mut sets = ParameterSets::from_nals([PPS_1, PPS]);
        assert!(!sets.is_complete());
        assert_eq!(sets.nals().count(), 0);
        assert!(sets.insert(SPS));
        assert!(sets.is_complete());
        assert_eq!(sets.nals().collect::<Vec<_>>(), [SPS, PPS, PPS_1]);
        let revision = sets.revision();
        assert!(!sets.insert(SPS) && !sets.insert(PPS));
        assert_eq!(sets.revision(), revision);
        let again = ParameterSets::from_sprop(&sets.to_sprop());
        assert_eq!(again.nals().collect::<Vec<_>>(), sets.nals().collect::<Vec<_>>());
    }

    #[test]
    fn a_changed_sps_takes_its_pps_with_it() {
        let mut sets = ParameterSets::from_nals([SPS, PPS, PPS_1]);
        assert!(sets.insert(SPS_CHANGED));
        assert!(!sets.is_complete());
        sets.insert(PPS);
        assert_eq!(sets.nals().collect::<Vec<_>>(), [SPS_CHANGED, PPS]);
    }

    #[test]
    fn hostile_sets_leave_no_trace() {
        let mut sets = ParameterSets::new();
        for nal in [
            &[][..],
            &[0x67],
            &[0x68],
            &[0x67, 66, 0, 30, 0, 0, 0],
            &[0x68, 0, 0],
            &[0x65, 1],
        ] {
            assert!(!sets.insert(nal));
        }
        let mut long = SPS.to_vec();
        long.resize(MAX_SET_BYTES + 1, 1);
        assert!(!sets.insert(&long));
        for n in 0..=255_u8 {
            // 0000 0001 xxxx xxxx: ids 127.. with SPS id from what follows
            sets.insert(&[0x68, 1, n, 0xff]);
        }
        assert!(sets.pps.len() <= MAX_SETS);
        assert_eq!(ParameterSets::from_sprop("!!,,Zw=="), ParameterSets::new());
    }
}
