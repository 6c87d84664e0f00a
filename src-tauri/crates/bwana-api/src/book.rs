//! The agents and workflows there are. The tables are the truth; files in the data folder are imported when they change,
//! and those that come with the program fill what is missing. What a run does with a definition is not known here.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use bwana_store::{DefinitionInfo, DefinitionKind, Imported, NewDefinition, Store};
use bwana_types::agent::AgentFile;
use bwana_types::error::ApiError;
use bwana_types::hash::Hash;
use bwana_types::workflow::WorkflowFile;
use bwana_workflow::definition::{
    DefinitionError, DefinitionFile, Issue, Known, SHIPPED_FILES, check_size, import, is_original,
    parse, validate_agent, validate_workflow,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The source of definitions that come with the program.
pub(crate) const BUILTIN: &str = "builtin";
/// Folders of the data folder whose files are imported, agents first: workflows name them.
pub(crate) const FOLDERS: [&str; 2] = ["agents", "workflows"];
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];
/// Files of one folder that are looked at.
const FILES_MAX: usize = 1_000;
/// Under this name the store keeps which shipped definitions it has.
const SHIPPED_SETTING: &str = "shipped";

/// Everything known at one moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Book {
    pub(crate) agents: BTreeMap<String, Kept<AgentFile>>,
    pub(crate) workflows: BTreeMap<String, Kept<WorkflowFile>>,
    /// Files in the data folder that cannot be used as they are.
    pub(crate) problems: Vec<FileProblem>,
}

#[derive(Debug, Clone)]
pub(crate) struct Kept<T> {
    pub(crate) file: T,
    /// Of the content before defaults: the version people see.
    pub(crate) hash: Hash,
    /// A file's path, or [`BUILTIN`].
    pub(crate) source: String,
}

/// A file in the data folder whose last good version stays in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileProblem {
    pub(crate) file: String,
    pub(crate) problem: String,
}

/// What a file holds, checked against everything known.
#[derive(Debug, Clone, Default)]
pub(crate) struct Found {
    pub(crate) agents: Vec<(AgentFile, Hash)>,
    pub(crate) workflows: Vec<(WorkflowFile, Hash)>,
    /// Warnings.
    pub(crate) notes: Vec<Issue>,
}

impl Book {
    /// The agents alone, as validation and resolution take them.
    pub(crate) fn agent_files(&self) -> BTreeMap<String, AgentFile> {
        let agents = self.agents.iter();
        agents
            .map(|(id, kept)| (id.clone(), kept.file.clone()))
            .collect()
    }

    /// Reads and checks a file: definitions of ours, or the original configuration.
    ///
    /// # Errors
    /// Everything that is wrong with it, in form and in meaning.
    pub(crate) fn read(
        &self,
        bytes: &[u8],
        tools: &BTreeSet<String>,
    ) -> Result<Found, DefinitionError> {
        check_size(bytes.len() as u64)?;
        if is_original(bytes) {
            let import = import(bytes)?;
            let mut found = Found {
                agents: import.agents,
                workflows: import.workflows,
                notes: import.notes,
            };
            let agents = self.agents_with(&found.agents);
            let known = Known {
                agents: &agents,
                tools,
            };
            let mut issues = Vec::new();
            for (agent, _) in &found.agents {
                issues.extend(validate_agent(agent, &known));
            }
            for (workflow, _) in &found.workflows {
                issues.extend(validate_workflow(workflow, &known));
            }
            found.notes.extend(DefinitionError::check(issues)?);
            return Ok(found);
        }
        let documents = parse(bytes)?;
        let mut found = Found::default();
        for document in &documents {
            match &document.file {
                DefinitionFile::Agent(agent) => found.agents.push((agent.clone(), document.hash)),
                DefinitionFile::Workflow(workflow) => {
                    found.workflows.push((workflow.clone(), document.hash));
                }
            }
        }
        let agents = self.agents_with(&found.agents);
        let known = Known {
            agents: &agents,
            tools,
        };
        let issues = documents.iter().flat_map(|document| {
            document.locate(match &document.file {
                DefinitionFile::Agent(agent) => validate_agent(agent, &known),
                DefinitionFile::Workflow(workflow) => validate_workflow(workflow, &known),
            })
        });
        found.notes = DefinitionError::check(issues.collect())?;
        Ok(found)
    }

    /// Puts what was found in its place.
    pub(crate) fn add(&mut self, found: &Found, source: &str) {
        for (agent, hash) in &found.agents {
            let kept = Kept {
                file: agent.clone(),
                hash: *hash,
                source: source.to_owned(),
            };
            self.agents.insert(agent.id.clone(), kept);
        }
        for (workflow, hash) in &found.workflows {
            let kept = Kept {
                file: workflow.clone(),
                hash: *hash,
                source: source.to_owned(),
            };
            self.workflows.insert(workflow.id.clone(), kept);
        }
    }

    fn agents_with(&self, more: &[(AgentFile, Hash)]) -> BTreeMap<String, AgentFile> {
        let mut agents = self.agent_files();
        agents.extend(
            more.iter()
                .map(|(agent, _)| (agent.id.clone(), agent.clone())),
        );
        agents
    }

    /// What the tables hold; without tables, nothing.
    fn of_store(store: Option<&Store>) -> Result<Self, ApiError> {
        let Some(store) = store else {
            return Ok(Self::default());
        };
        let mut book = Self::default();
        for row in store.definitions(DefinitionKind::Agent)? {
            if let Some(kept) = kept(&row) {
                book.agents.insert(row.slug, kept);
            }
        }
        for row in store.definitions(DefinitionKind::Workflow)? {
            if let Some(kept) = kept(&row) {
                book.workflows.insert(row.slug, kept);
            }
        }
        Ok(book)
    }
}

/// A row as a file again. One that a newer program wrote in another shape is left out, not an error: everything else
/// still works.
fn kept<T: DeserializeOwned>(row: &DefinitionInfo) -> Option<Kept<T>> {
    match serde_json::from_str(&row.body) {
        Ok(file) => Some(Kept {
            file,
            hash: row.hash,
            source: row.source.clone(),
        }),
        Err(error) => {
            tracing::warn!(slug = %row.slug, %error, "a stored definition cannot be read and is left out");
            None
        }
    }
}

/// The book as it is now, files in the data folder included. An owner stores what has changed.
///
/// # Errors
/// If the tables cannot be read or written. Files that cannot be used are problems in the book, not errors.
pub(crate) async fn open(
    store: Option<&Store>,
    home: &Path,
    tools: &BTreeSet<String>,
) -> Result<Book, ApiError> {
    let mut book = Book::of_store(store)?;
    // While nothing is stored, reading goes on.
    let owner = store.filter(|store| store.is_owner() && store.check_open().is_ok());
    ship(&mut book, store, owner).await?;
    for file in files(home) {
        let name = file.name(home);
        let setting = format!("file:{name}");
        let known: Option<Stamp> = match store {
            Some(store) => store
                .setting(&setting)?
                .and_then(|text| serde_json::from_str(&text).ok()),
            None => None,
        };
        let stamp = match known {
            // A problem may lie elsewhere (an agent that did not exist yet), so such a file is looked at again.
            Some(known) if known.is_of(&file) && known.problem.is_none() => known,
            _ => {
                let mut stamp = Stamp::of(&file);
                match take(&mut book, &file.path, tools, owner).await? {
                    Ok(()) => {}
                    Err(problem) => stamp.problem = Some(problem),
                }
                if let Some(owner) = owner {
                    let text = serde_json::to_string(&stamp).unwrap_or_default();
                    owner.set_setting(&setting, Some(&text)).await?;
                }
                stamp
            }
        };
        if let Some(problem) = stamp.problem {
            book.problems.push(FileProblem {
                file: name,
                problem,
            });
        }
    }
    Ok(book)
}

/// Fills in what comes with the program, and brings it up to date where nobody has changed it.
async fn ship(
    book: &mut Book,
    store: Option<&Store>,
    owner: Option<&Store>,
) -> Result<(), ApiError> {
    let texts = SHIPPED_FILES
        .iter()
        .flat_map(|file| [file.path.as_bytes(), file.text.as_bytes()]);
    let version = Hash::of_parts(texts).to_string();
    let have = match store {
        Some(store) => store.setting(SHIPPED_SETTING)?,
        None => None,
    };
    if have.as_deref() == Some(version.as_str()) {
        return Ok(());
    }
    // What a person has put in the place of a shipped one stays.
    let ours = |source: Option<&String>| source.is_none_or(|source| source == BUILTIN);
    let mut found = Found::default();
    for document in SHIPPED_FILES
        .iter()
        .flat_map(|file| parse(file.text.as_bytes()).unwrap_or_default())
    {
        match document.file {
            DefinitionFile::Agent(agent) => {
                if ours(book.agents.get(&agent.id).map(|kept| &kept.source)) {
                    found.agents.push((agent, document.hash));
                }
            }
            DefinitionFile::Workflow(workflow) => {
                if ours(book.workflows.get(&workflow.id).map(|kept| &kept.source)) {
                    found.workflows.push((workflow, document.hash));
                }
            }
        }
    }
    book.add(&found, BUILTIN);
    if let Some(owner) = owner {
        put(owner, &found, BUILTIN).await?;
        owner.set_setting(SHIPPED_SETTING, Some(&version)).await?;
    }
    Ok(())
}

/// Stores definitions and says what became of each, agents first.
pub(crate) async fn put(
    store: &Store,
    found: &Found,
    source: &str,
) -> Result<Vec<(DefinitionKind, String, Imported)>, ApiError> {
    let row = |kind, id: &str, name: &str, hash: Hash, body: String| NewDefinition {
        kind,
        slug: id.to_owned(),
        name: name.to_owned(),
        hash,
        body,
        source: source.to_owned(),
    };
    let agents = found.agents.iter().map(|(file, hash)| {
        row(
            DefinitionKind::Agent,
            &file.id,
            &file.name,
            *hash,
            json(file),
        )
    });
    let workflows = found.workflows.iter().map(|(file, hash)| {
        row(
            DefinitionKind::Workflow,
            &file.id,
            &file.name,
            *hash,
            json(file),
        )
    });
    let mut outcomes = Vec::new();
    for new in agents.chain(workflows) {
        let (kind, slug) = (new.kind, new.slug.clone());
        outcomes.push((kind, slug, store.put_definition(new).await?));
    }
    Ok(outcomes)
}

fn json<T: Serialize>(file: &T) -> String {
    serde_json::to_string(file).unwrap_or_default()
}

/// Takes a changed file of the data folder over. The inner error is the file's problem, for people.
async fn take(
    book: &mut Book,
    path: &Path,
    tools: &BTreeSet<String>,
    owner: Option<&Store>,
) -> Result<Result<(), String>, ApiError> {
    let read = read_bounded(path)
        .and_then(|bytes| book.read(&bytes, tools).map_err(|error| error.to_string()));
    let found = match read {
        Ok(found) => found,
        Err(problem) => return Ok(Err(problem)),
    };
    let source = path.display().to_string();
    if let Some(owner) = owner {
        put(owner, &found, &source).await?;
    }
    book.add(&found, &source);
    Ok(Ok(()))
}

/// A definition file's content, refused by its size before it is read.
pub(crate) fn read_bounded(path: &Path) -> Result<Vec<u8>, String> {
    let unreadable = |error: std::io::Error| format!("the file cannot be read: {error}");
    let bytes = fs::metadata(path).map_err(unreadable)?.len();
    check_size(bytes).map_err(|error| error.to_string())?;
    fs::read(path).map_err(unreadable)
}

/// A file that may hold definitions.
struct Candidate {
    path: PathBuf,
    bytes: u64,
    modified_ns: u64,
}

impl Candidate {
    /// Relative to the data folder.
    fn name(&self, home: &Path) -> String {
        self.path
            .strip_prefix(home)
            .unwrap_or(&self.path)
            .display()
            .to_string()
    }
}

/// What is remembered of a file, so that one that has not changed is not read again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    bytes: u64,
    modified_ns: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

impl Stamp {
    fn of(file: &Candidate) -> Self {
        Self {
            bytes: file.bytes,
            modified_ns: file.modified_ns,
            problem: None,
        }
    }

    fn is_of(&self, file: &Candidate) -> bool {
        (self.bytes, self.modified_ns) == (file.bytes, file.modified_ns)
    }
}

/// The definition files of the data folder, agents before workflows, each folder by name.
fn files(home: &Path) -> Vec<Candidate> {
    let mut found = Vec::new();
    for folder in FOLDERS {
        let Ok(entries) = fs::read_dir(home.join(folder)) else {
            continue;
        };
        let mut here: Vec<Candidate> = entries
            .take(FILES_MAX)
            .filter_map(|entry| candidate(entry.ok()?.path()))
            .collect();
        here.sort_by(|a, b| a.path.cmp(&b.path));
        found.extend(here);
    }
    found
}

fn candidate(path: PathBuf) -> Option<Candidate> {
    let ending = path.extension()?.to_str()?;
    if !ENDINGS.contains(&ending) {
        return None;
    }
    let meta = fs::metadata(&path).ok().filter(fs::Metadata::is_file)?;
    let modified = meta.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(Candidate {
        path,
        bytes: meta.len(),
        modified_ns: u64::try_from(modified.as_nanos()).unwrap_or(u64::MAX),
    })
}
