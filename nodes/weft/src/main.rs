//! The program: reads its command line and does what it says.
//! Everything else is in the library, where tests reach it too.

use std::process::ExitCode;

fn main() -> ExitCode {
    weft::cli::main()
}
