//! The specification of the system that is replaced: its YAML blocks, URLs, commands and variables, tried on real nodes.
//! The texts are kept under fixtures; what each must do is said here, and `rows` holds the two against each other.

mod api;
mod compose;
mod configuration;
mod exams;
mod guides;
mod network;
mod rows;
mod troubles;
mod users;
mod video;
mod weft;
