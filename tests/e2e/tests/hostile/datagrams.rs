//! Junk, spoofed and replayed datagrams on a live session's port, and broken payloads inside a proper session. Bad requests
//! are the other modules' business.

use super::witness::Witness;
use anyhow::Result;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::time::Duration;
use tokio::net::UdpSocket;
use weft_testkit::publish;

const COUNT: usize = 100_000;
/// Sent between two pauses of 5 ms: 10,000 a second.
const BURST: usize = 50;

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_junk_and_spoofed_datagrams_disturb_nobody() -> Result<()> {
    let mut witness = Witness::start().await?;
    let mut dice = StdRng::seed_from_u64(11);
    flood(&witness, &mut dice, COUNT / 20).await?;
    witness.measure()?;
    flood(&witness, &mut dice, COUNT).await?;
    witness.undisturbed().await
}

/// Half from a stranger, half as if from the publisher's own address.
async fn flood(witness: &Witness, dice: &mut StdRng, count: usize) -> Result<()> {
    let stranger = UdpSocket::bind("127.0.0.1:0").await?;
    let target = witness.node.address("ice")?;
    let mut rhythm = tokio::time::interval(Duration::from_millis(5));
    for number in 0..count {
        if number % BURST == 0 {
            rhythm.tick().await;
        }
        let datagram = junk(dice, &witness.relay.sample());
        if number % 2 == 0 {
            stranger.send_to(&datagram, target).await?;
        } else {
            witness.relay.inject(&datagram).await;
        }
    }
    Ok(())
}

/// One of: noise, RTP and RTCP of random sources, STUN and DTLS heads with noise behind, a true packet again, a true packet
/// with a bit turned.
fn junk(dice: &mut StdRng, sample: &[u8]) -> Vec<u8> {
    let length = dice.random_range(1..1200);
    let mut noise: Vec<u8> = (0..length).map(|_| dice.random()).collect();
    let head: &[u8] = match dice.random_range(0..8) {
        0 => &[],
        1 => &[0x80, 0x60],
        2 => &[0x80, 200, 0, 6],
        3 => &[0x00, 0x01, 0x00, 0x58, 0x21, 0x12, 0xa4, 0x42],
        4 => &[0x16, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0],
        5 => &[0x15, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0],
        6 => return sample.to_vec(),
        _ => {
            let mut turned = sample.to_vec();
            if let Some(byte) = turned
                .len()
                .checked_sub(1)
                .map(|last| dice.random_range(0..=last))
            {
                turned[byte] ^= 1 << dice.random_range(0..8);
            }
            return turned;
        }
    };
    let shared = head.len().min(noise.len());
    noise[..shared].copy_from_slice(&head[..shared]);
    noise
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_aggregation_and_fragmentation_units_disturb_nobody() -> Result<()> {
    let mut witness = Witness::start().await?;
    let whip = witness.node.whip("broken")?;
    let first = publish::broken_payloads(&whip, &witness.clip)?;
    witness
        .node
        .wait_for("broken", Duration::from_secs(30))
        .await
        .map_err(|e| e.context(first.last_lines()))?;
    witness.measure()?;
    tokio::time::sleep(Duration::from_secs(10)).await;
    drop(first);
    witness.undisturbed().await
}
