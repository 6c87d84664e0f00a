//! The built-in local model, seen from the host: a child process per model file, spoken to in frames.
//! llama.cpp itself lives in `bwana-model-worker`; nothing here links it.

pub mod frame;
