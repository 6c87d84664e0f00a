//! llama.cpp's own speed, as its bench program takes it: a prompt, then one token after the other with nothing around
//! it but the choice of the likeliest. Prints tokens a second. It exists so that the worker can be measured against the
//! same library of the same build: `llama_loop MODEL THREADS CONTEXT TOKENS PROMPT`.

#[cfg(feature = "local-llm")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    use std::io::Write as _;
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [model, threads, context, tokens, prompt] = args.as_slice() else {
        return Err("usage: llama_loop MODEL THREADS CONTEXT TOKENS PROMPT".into());
    };
    let speed = bare::tokens_per_second(
        model.as_ref(),
        threads.parse()?,
        context.parse()?,
        tokens.parse()?,
        prompt,
    )?;
    writeln!(std::io::stdout(), "{speed}")?;
    Ok(())
}

#[cfg(not(feature = "local-llm"))]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    Err("this was built without llama.cpp (feature local-llm)".into())
}

#[cfg(feature = "local-llm")]
mod bare {
    use std::error::Error;
    use std::num::NonZeroU32;
    use std::path::Path;
    use std::time::Instant;

    use llama_cpp_2::context::params::LlamaContextParams;
    use llama_cpp_2::llama_backend::LlamaBackend;
    use llama_cpp_2::llama_batch::LlamaBatch;
    use llama_cpp_2::model::LlamaModel;
    use llama_cpp_2::model::params::LlamaModelParams;
    use llama_cpp_2::sampling::LlamaSampler;

    /// Tokens the prompt may have, and room in a batch.
    const PROMPT_MAX_TOKENS: usize = 512;

    pub(super) fn tokens_per_second(
        model: &Path,
        threads: i32,
        context: u32,
        tokens: u32,
        prompt: &str,
    ) -> Result<f64, Box<dyn Error>> {
        let mut backend = LlamaBackend::init()?;
        backend.void_logs();
        let model = LlamaModel::load_from_file(&backend, model, &LlamaModelParams::default())?;
        let params = LlamaContextParams::default()
            .with_n_ctx(NonZeroU32::new(context))
            .with_n_threads(threads)
            .with_n_threads_batch(threads);
        let mut context = model.new_context(&backend, params)?;
        let prompt = model.vocab().tokenize(prompt.as_bytes(), true, true);
        let mut batch = LlamaBatch::new(PROMPT_MAX_TOKENS, 1);
        for (at, token) in prompt.iter().enumerate() {
            batch.add(*token, i32::try_from(at)?, &[0], at + 1 == prompt.len())?;
        }
        context.decode(&mut batch)?;
        let mut sampler = LlamaSampler::greedy();
        let first = i32::try_from(prompt.len())?;
        let began = Instant::now();
        for position in first..first + i32::try_from(tokens)? {
            let token = sampler.sample(&context, -1);
            batch.clear();
            batch.add(token, position, &[0], true)?;
            context.decode(&mut batch)?;
        }
        context.synchronize();
        Ok(f64::from(tokens) / began.elapsed().as_secs_f64())
    }
}
