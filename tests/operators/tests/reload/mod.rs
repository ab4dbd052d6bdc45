//! Changes of the configuration under load: only the sessions that a change touches end, with the right reason, and nobody
//! else loses anything. How files and settings are merged is tested beside the crates.

mod fabric;
mod files;
mod live;
mod model;
mod world;
