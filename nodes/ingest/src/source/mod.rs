//! Streams that this node sees to itself: sources it pulls, and commands that publish on demand or from the start.
//! `desk` knows what is wanted, `pull` keeps one source coming, `camera` speaks RTSP, `tickets` lets its media in as a
//! publisher's session like any other.

mod camera;
mod desk;
mod pull;
mod tickets;

pub(crate) use desk::Sources;
pub(crate) use tickets::Tickets;
