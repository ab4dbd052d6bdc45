//! Who may do what, asked of real nodes: every method by every action and protocol, with what is right, wrong, missing or
//! expired; and a server of answers that hangs. How each is judged inside is tested beside the crates.

mod callback;
mod guide;
mod matrix;
mod readers;
mod server;
mod shown;
