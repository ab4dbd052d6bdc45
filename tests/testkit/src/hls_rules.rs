//! What RFC 8216 and draft-pantos-hls-rfc8216bis-16 let one check of a media playlist, alone and against the one before it.
//! Pure: playlists come from wherever; whether they can be played is asked of players.

use std::collections::BTreeMap;

/// A part.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// Seconds.
    pub duration: f64,
    /// Where it is.
    pub uri: String,
    /// Decoding may start in it.
    pub independent: bool,
}

/// A segment, or the parts of the one that grows (then without URL).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Segment {
    /// Its number.
    pub msn: u64,
    /// Seconds; 0 while it grows.
    pub duration: f64,
    /// Where it is; empty while it grows.
    pub uri: String,
    /// Milliseconds since midnight of its `EXT-X-PROGRAM-DATE-TIME`.
    pub date: Option<i64>,
    /// Nothing in it follows from the segment before.
    pub discontinuity: bool,
    /// Its init segment.
    pub map: String,
    /// Its parts, where they are named.
    pub parts: Vec<Part>,
}

/// A media playlist.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Media {
    /// `EXT-X-VERSION`.
    pub version: u32,
    /// `EXT-X-TARGETDURATION`.
    pub target: u64,
    /// `PART-TARGET`.
    pub part_target: Option<f64>,
    /// `EXT-X-SERVER-CONTROL`.
    pub control: BTreeMap<String, String>,
    /// `EXT-X-MEDIA-SEQUENCE`.
    pub sequence: u64,
    /// `EXT-X-DISCONTINUITY-SEQUENCE`.
    pub discontinuity_sequence: u64,
    /// `EXT-X-INDEPENDENT-SEGMENTS`.
    pub independent: bool,
    /// In order; the last one may grow.
    pub segments: Vec<Segment>,
    /// The part that is hinted at.
    pub hint: Option<String>,
    /// `EXT-X-RENDITION-REPORT`: URL, last segment, last part.
    pub reports: Vec<(String, u64, u64)>,
    /// `EXT-X-ENDLIST`.
    pub ended: bool,
}

/// An attribute list (RFC 8216 section 4.2), quotation marks taken away.
#[must_use]
pub fn attributes(text: &str) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let mut rest = text;
    while let Some((name, value)) = rest.split_once('=') {
        let (value, behind) = match value.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => value.find(',').map_or((value, ""), |at| value.split_at(at)),
        };
        all.insert(name.to_owned(), value.to_owned());
        rest = behind.trim_start_matches(',');
    }
    all
}

/// Reads a media playlist.
///
/// # Errors
/// Says which line is none that belongs there.
pub fn parse(text: &str) -> Result<Media, String> {
    let mut lines = text.lines();
    if lines.next() != Some("#EXTM3U") {
        return Err("it does not begin with #EXTM3U".to_owned());
    }
    let mut media = Media::default();
    let mut segment = Segment::default();
    let mut map = String::new();
    for line in lines.filter(|line| !line.is_empty()) {
        let wrong = || format!("unexpected line: {line}");
        let Some(tag) = line.strip_prefix('#') else {
            segment.uri = line.to_owned();
            segment.map.clone_from(&map);
            media.segments.push(std::mem::take(&mut segment));
            continue;
        };
        let (name, value) = tag.split_once(':').unwrap_or((tag, ""));
        let number = || value.parse::<u64>().map_err(|_| wrong());
        let list = attributes(value);
        let of = |key: &str| list.get(key).cloned().ok_or_else(wrong);
        match name {
            "EXT-X-VERSION" => media.version = number()? as u32,
            "EXT-X-TARGETDURATION" => media.target = number()?,
            "EXT-X-SERVER-CONTROL" => media.control = list,
            "EXT-X-PART-INF" => media.part_target = Some(of("PART-TARGET")?.parse().map_err(|_| wrong())?),
            "EXT-X-MEDIA-SEQUENCE" => media.sequence = number()?,
            "EXT-X-DISCONTINUITY-SEQUENCE" => media.discontinuity_sequence = number()?,
            "EXT-X-INDEPENDENT-SEGMENTS" => media.independent = true,
            "EXT-X-MAP" => map = of("URI")?,
            "EXT-X-DISCONTINUITY" => segment.discontinuity = true,
            "EXT-X-PROGRAM-DATE-TIME" => segment.date = Some(of_day(value).ok_or_else(wrong)?),
            "EXT-X-PART" => segment.parts.push(Part {
                duration: of("DURATION")?.parse().map_err(|_| wrong())?,
                uri: of("URI")?,
                independent: list.get("INDEPENDENT").is_some_and(|word| word == "YES"),
            }),
            "EXTINF" => segment.duration = value.trim_end_matches(',').parse().map_err(|_| wrong())?,
            "EXT-X-PRELOAD-HINT" => media.hint = Some(of("URI")?),
            "EXT-X-RENDITION-REPORT" => media.reports.push((
                of("URI")?,
                of("LAST-MSN")?.parse().map_err(|_| wrong())?,
                of("LAST-PART")?.parse().map_err(|_| wrong())?,
            )),
            "EXT-X-ENDLIST" => media.ended = true,
            _ => return Err(wrong()),
        }
    }
    if !segment.parts.is_empty() {
        segment.map = map;
        media.segments.push(segment);
    }
    for (msn, segment) in (media.sequence..).zip(&mut media.segments) {
        segment.msn = msn;
    }
    Ok(media)
}

/// Milliseconds since midnight of an instant such as `2026-01-31T01:02:03.004Z`.
fn of_day(text: &str) -> Option<i64> {
    let (_, time) = text.strip_suffix('Z')?.split_once('T')?;
    let (clock, millis) = time.split_once('.')?;
    let mut parts = clock.split(':').map(str::parse::<i64>);
    let mut next = || parts.next()?.ok();
    Some(((next()? * 60 + next()?) * 60 + next()?) * 1000 + millis.parse::<i64>().ok()?)
}

impl Media {
    /// What is wrong with it; empty when nothing is.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut must = |good: bool, what: String| {
            if !good {
                faults.push(what);
            }
        };
        let seconds = |key: &str| self.control.get(key).and_then(|v| v.parse::<f64>().ok());
        must(self.target > 0, "no EXT-X-TARGETDURATION".to_owned());
        must(
            self.version >= 6,
            format!("version {} has no EXT-X-MAP", self.version),
        );
        let blocks = self
            .control
            .get("CAN-BLOCK-RELOAD")
            .is_some_and(|word| word == "YES");
        must(blocks, "no CAN-BLOCK-RELOAD".to_owned());
        let hold_back = seconds("HOLD-BACK");
        must(
            hold_back.is_none_or(|back| back >= 3.0 * self.target as f64),
            format!("HOLD-BACK {hold_back:?} of {}", self.target),
        );
        if let Some(part) = self.part_target {
            let back = seconds("PART-HOLD-BACK").unwrap_or(0.0);
            must(
                back >= 3.0 * part - 0.001,
                format!("PART-HOLD-BACK {back} of {part}"),
            );
            must(self.ended || self.hint.is_some(), "no preload hint".to_owned());
        }
        for segment in &self.segments {
            let msn = segment.msn;
            let whole = !segment.uri.is_empty();
            must(
                segment.duration.round() <= self.target as f64,
                format!("segment {msn} lasts {} of {}", segment.duration, self.target),
            );
            must(!segment.map.is_empty(), format!("segment {msn} has no EXT-X-MAP"));
            must(segment.date.is_some(), format!("segment {msn} has no date"));
            must(
                whole || self.part_target.is_some(),
                format!("segment {msn} has no URL"),
            );
            let Some(target) = self.part_target else { continue };
            let sum: f64 = segment.parts.iter().map(|part| part.duration).sum();
            must(
                !whole || segment.parts.is_empty() || (sum - segment.duration).abs() < 0.001,
                format!("parts of segment {msn} last {sum}, it lasts {}", segment.duration),
            );
            for (n, part) in segment.parts.iter().enumerate() {
                let last = whole && n + 1 == segment.parts.len();
                let (least, most) = (0.85 * target - 0.001, target + 0.001);
                must(
                    part.duration <= most && (last || part.duration >= least),
                    format!("part {msn}.{n} lasts {} of {target}", part.duration),
                );
            }
            let first = segment.parts.first();
            must(
                !self.independent || first.is_none_or(|part| part.independent),
                format!("segment {msn} does not begin with an independent part"),
            );
        }
        for pair in self.segments.windows(2).filter(|pair| !pair[1].discontinuity) {
            let (Some(from), Some(to)) = (pair[0].date, pair[1].date) else {
                continue;
            };
            // Midnight is no jump.
            let passed = (to - from).rem_euclid(86_400_000);
            let off = passed - (pair[0].duration * 1000.0).round() as i64;
            must(
                off.abs() <= 50,
                format!("the date of segment {} is {off} ms off", pair[1].msn),
            );
        }
        faults
    }

    /// What may not change from `before` to this, and did.
    #[must_use]
    pub fn faults_after(&self, before: &Self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut must = |good: bool, what: String| {
            if !good {
                faults.push(what);
            }
        };
        must(
            self.target == before.target,
            "EXT-X-TARGETDURATION changed".to_owned(),
        );
        must(
            self.part_target == before.part_target,
            "PART-TARGET changed".to_owned(),
        );
        must(
            self.sequence >= before.sequence,
            format!(
                "EXT-X-MEDIA-SEQUENCE fell from {} to {}",
                before.sequence, self.sequence
            ),
        );
        let end = |media: &Self| media.segments.last().map_or(0, |s| s.msn);
        must(end(self) >= end(before), "the end went back".to_owned());
        let gone = before.segments.iter().take_while(|s| s.msn < self.sequence);
        let tags = gone.filter(|s| s.discontinuity).count() as u64;
        must(
            self.discontinuity_sequence == before.discontinuity_sequence + tags,
            format!("EXT-X-DISCONTINUITY-SEQUENCE is {}", self.discontinuity_sequence),
        );
        for now in &self.segments {
            let Some(then) = before.segments.iter().find(|then| then.msn == now.msn) else {
                continue;
            };
            let same = then.uri.is_empty() || then.uri == now.uri && then.duration == now.duration;
            must(same, format!("segment {} became another", now.msn));
            let kept = now.parts.is_empty() || then.parts.is_empty() || now.parts.starts_with(&then.parts);
            must(kept, format!("parts of segment {} became others", now.msn));
        }
        faults
    }
}
