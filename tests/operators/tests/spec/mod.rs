//! The specification of the system that is replaced: its YAML blocks, URLs, commands and variables, tried on real nodes.
//! The texts are kept under fixtures; what each must do is said here.
