//! Patterns of arguments that a person may allow together, derived from the arguments themselves: never written by
//! anybody. A grant covers a call if the call gives the very same pattern, so every spelling that a tool treats alike must
//! give one pattern here, and every other one another.

use bwana_types::grant::Pattern;
use bwana_types::hash::args_hash;
use bwana_types::tool::ToolSpec;
use serde_json::Value;
use url::Host;

use crate::artifact::ArtifactPath;
use crate::egress::Target;
use crate::tool::Tool;
use crate::visible::is_hidden;

/// Bytes of a mail address.
const MAIL_MAX_BYTES: usize = 254;

/// Every pattern of a call, the narrowest first. `args` have passed the schema.
pub fn patterns(tool: &dyn Tool, args: &Value) -> Vec<Pattern> {
    let mut all = vec![exact(tool.spec(), args)];
    all.extend(tool.patterns(args));
    all
}

/// Exactly these arguments of this version of the tool.
pub fn exact(spec: &ToolSpec, args: &Value) -> Pattern {
    Pattern::Exact {
        args_hash: args_hash(&spec.name, &spec.version, args),
    }
}

/// The address a URL leads to, as it is dialled.
pub fn address_of(url: &str) -> Option<Pattern> {
    let url = Target::parse(url).ok()?.as_str().to_owned();
    Some(Pattern::Address { url })
}

/// The origin of a URL.
pub fn host_of(url: &str) -> Option<Pattern> {
    let target = Target::parse(url).ok()?;
    let scheme = if target.is_https() { "https" } else { "http" };
    let host = format!("{scheme}://{}", target.authority());
    Some(Pattern::Host { host })
}

/// The folder of a file of the run.
pub fn folder_of(path: &str) -> Option<Pattern> {
    let path = ArtifactPath::parse(path).ok()?;
    let folder = path
        .as_str()
        .rsplit_once('/')
        .map_or("", |(folder, _)| folder);
    Some(Pattern::Folder {
        folder: folder.to_owned(),
    })
}

/// The domain of one plain mail address, for tools that write to people. A display name, a list of addresses, quotes and
/// comments give none: what two readers could read differently is only ever allowed exactly.
pub fn domain_of(address: &str) -> Option<Pattern> {
    let odd = |c: char| c.is_whitespace() || is_hidden(c) || "<>()[]\\,;:\"".contains(c);
    if address.len() > MAIL_MAX_BYTES || address.chars().any(odd) {
        return None;
    }
    let (name, domain) = address.split_once('@')?;
    if name.is_empty() || domain.contains('@') || domain.contains('%') {
        return None;
    }
    match Host::parse(domain) {
        Ok(Host::Domain(domain)) if domain.contains('.') && !domain.ends_with('.') => {
            Some(Pattern::Domain { domain })
        }
        _ => None,
    }
}
