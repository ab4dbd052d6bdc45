//! What is deployed with: every file of compose/ and every command of the guides, held against the program.
//! What the program does with them is tested elsewhere.
