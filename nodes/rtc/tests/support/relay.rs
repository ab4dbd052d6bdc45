//! A UDP relay on loopback that decides about each datagram: the network between publisher and node, at its worst.
//! It cannot read what is encrypted; RTP headers it can.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

/// Says whether a datagram passes.
pub type Verdict = Box<dyn FnMut(&[u8]) -> bool + Send>;

/// The relay; ends when dropped.
pub struct Relay {
    address: SocketAddr,
    task: JoinHandle<()>,
    /// Checks seen on their way to the node.
    pub checks: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Relay {
    /// Stands between the node at `node` and whoever speaks to the relay first.
    pub async fn start(node: SocketAddr, verdict: Verdict) -> Self {
        Self::start_between(node, verdict, Box::new(|_: &[u8]| true)).await
    }

    /// The same with a verdict about what comes from the node as well.
    pub async fn start_between(node: SocketAddr, mut verdict: Verdict, mut from_node: Verdict) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
        let address = socket.local_addr().expect("an address");
        let checks = Arc::new(Mutex::new(Vec::new()));
        let seen = checks.clone();
        let task = tokio::spawn(async move {
            let mut publisher = None;
            let mut buffer = [0; 4096];
            while let Ok((len, from)) = socket.recv_from(&mut buffer).await {
                let datagram = &buffer[..len];
                if from == node {
                    if let Some(publisher) = publisher
                        && from_node(datagram)
                    {
                        socket.send_to(datagram, publisher).await.expect("relayed");
                    }
                    continue;
                }
                publisher = Some(from);
                if datagram.starts_with(&[0, 1]) {
                    seen.lock().expect("not poisoned").push(datagram.to_vec());
                }
                if verdict(datagram) {
                    socket.send_to(datagram, node).await.expect("relayed");
                }
            }
        });
        Self {
            address,
            task,
            checks,
        }
    }

    /// The answer as the publisher is to see it: the relay in place of the node.
    pub fn rewrite(&self, answer: &str, node: SocketAddr) -> String {
        answer.replace(
            &format!(" {} typ host", node.port()),
            &format!(" {} typ host", self.address.port()),
        )
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The sequence number of an RTP packet of payload type `pt`.
pub fn rtp_seq(datagram: &[u8], pt: u8) -> Option<u16> {
    (datagram.len() > 12 && datagram[0] >> 6 == 2 && datagram[1] & 0x7f == pt)
        .then(|| u16::from_be_bytes([datagram[2], datagram[3]]))
}
