//! The system as a whole, with real clients: what arrives, when, under loss, beside hostile input, and what is left behind.
//! Each module is one point of what must hold; `tests/run` names them as parts.

mod balance;
mod exact;
mod fabric;
mod faults;
mod fight;
mod first_picture;
mod hostile;
mod life;
mod loss;
mod paths;
mod readme;
mod thousand;
