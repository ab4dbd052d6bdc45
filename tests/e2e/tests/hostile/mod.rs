//! Hostile input of each kind, beside a live stream that must stay bit-exact: a clear 4xx or a closed socket, little in the
//! log, no panic, no growth. The witness holds the stream and the judgement; the modules hold the attacks.

mod datagrams;
mod http;
mod rtsp;
mod witness;
