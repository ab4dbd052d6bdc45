//! What a hostile client does: connections that say half of something and wait, that dribble, that send without measure.
//! They come from addresses of their own, so that limits of one address can be told from limits of a port.

use anyhow::{Context, Result};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

/// An address of this host that is not the honest clients' one.
pub(super) fn stranger(number: usize) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(
        127,
        9,
        (number / 250) as u8,
        (number % 250 + 1) as u8,
    ))
}

/// Connects from an address.
pub(super) async fn connect(from: IpAddr, to: &str) -> Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(from, 0))?;
    let to: SocketAddr = to.parse()?;
    Ok(timeout(Duration::from_secs(5), socket.connect(to))
        .await
        .context("not connected in 5 s")??)
}

/// Connections that say this and wait. Those that are refused meanwhile count as well.
pub(super) async fn half_open(
    count: usize,
    from: impl Fn(usize) -> IpAddr,
    to: &str,
    word: &[u8],
) -> Result<Vec<TcpStream>> {
    let mut streams = Vec::new();
    for number in 0..count {
        let mut stream = connect(from(number), to).await?;
        // One that was refused may be closed already.
        drop(stream.write_all(word).await);
        streams.push(stream);
    }
    Ok(streams)
}

/// How many of them are still open, by what reading them gives.
pub(super) fn still_open(streams: &[TcpStream]) -> usize {
    let open = |stream: &&TcpStream| {
        let mut away = [0; 512];
        loop {
            match stream.try_read(&mut away) {
                Ok(0) => return false,
                Ok(_) => {}
                Err(error) => return error.kind() == std::io::ErrorKind::WouldBlock,
            }
        }
    };
    streams.iter().filter(open).count()
}

/// Says a byte of `words` every 100 ms; how long the other side stood it, and what it answered.
pub(super) async fn dribble(mut stream: TcpStream, head: &[u8], words: u8) -> Result<(Duration, String)> {
    let began = Instant::now();
    stream.write_all(head).await?;
    let mut answer = Vec::new();
    while began.elapsed() < Duration::from_secs(20) {
        let ended = timeout(Duration::from_millis(100), stream.read_buf(&mut answer)).await;
        match ended {
            Ok(Ok(0) | Err(_)) => break,
            Ok(Ok(_)) => {}
            // The answer may have come and the connection be closed a moment later.
            Err(_) => drop(stream.write_all(&[words]).await),
        }
    }
    let answer = String::from_utf8_lossy(&answer).into_owned();
    Ok((began.elapsed(), answer))
}
