//! The data files: read by the product's own strict YAML reader, and strict about every key.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use toolgate::diagnostics::{Diagnostics, Source, Sources};
use toolgate::yaml::{self, Kind, Node, Plain};

pub(crate) fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/credentials")
}

/// `setup.yaml`: what is good, who calls, which keys there are, which Toolgates.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Setup {
    /// The claims of a good token, as JSON.
    pub(crate) good_claims: String,
    /// The claims of a good JWT-SVID.
    pub(crate) good_svid_claims: String,
    /// What a row has that does not say otherwise.
    pub(crate) usual: Map<String, Value>,
    pub(crate) peers: BTreeMap<String, Peer>,
    pub(crate) key_sets: BTreeMap<String, Vec<Published>>,
    /// Trust bundles: key sets by trust domain.
    pub(crate) bundles: BTreeMap<String, BTreeMap<String, Vec<Published>>>,
    /// X.509 authorities by trust domain.
    pub(crate) authorities: BTreeMap<String, BTreeMap<String, Vec<Authority>>>,
    pub(crate) sidecars: BTreeMap<String, Sidecar>,
}

/// A certificate in a bundle.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Authority {
    /// The peers whose certificates the entry has.
    pub(crate) of: Vec<String>,
    /// How it is marked, where that is not `x509-svid`.
    pub(crate) r#use: Option<String>,
}

/// A caller's certificate.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Peer {
    #[serde(default)]
    pub(crate) uris: Vec<String>,
    #[serde(default)]
    pub(crate) dns: Vec<String>,
    pub(crate) common_name: Option<String>,
    /// What Envoy calls it by, where that is not the first of these names.
    pub(crate) principal: Option<String>,
    /// From when to when it is valid, counted from now.
    pub(crate) minutes: Option<(i64, i64)>,
    pub(crate) usages: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) authority: bool,
    /// The peer that signed it, where that is not itself.
    pub(crate) signed_by: Option<String>,
    /// What Envoy passes on, where that is not the certificate: PEM stands for it.
    pub(crate) shown: Option<String>,
}

/// A key as a key set shows it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Published {
    pub(crate) kid: Option<String>,
    /// The key that it is; `kid` where that is not said.
    pub(crate) of: Option<String>,
    /// Members that it shows otherwise, as JSON.
    pub(crate) change: Option<String>,
    #[serde(default)]
    pub(crate) without: Vec<String>,
}

/// One Toolgate.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sidecar {
    /// What its configuration says under `issuers`. KEYS stands for the directory of key sets.
    pub(crate) issuers: String,
    /// What it says under `workloads`.
    #[serde(default = "trust_domains")]
    pub(crate) workloads: String,
    /// More sections of its configuration.
    #[serde(default)]
    pub(crate) more: String,
    /// Its policies.
    pub(crate) policies: Option<String>,
}

fn trust_domains() -> String {
    "trust_domains: [prod.example.com]".to_owned()
}

/// One row.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Row {
    /// The row of the list, with a letter where that has several inputs.
    pub(crate) id: Id,
    /// What is sent, in words.
    pub(crate) input: String,
    /// Why the answer is another one than the list names.
    pub(crate) otherwise: Option<String>,
    /// The test that shows it, where a row cannot: `PATH::NAME`.
    pub(crate) shown_by: Option<String>,
    /// The recipe and the answer: what is not as usual.
    #[serde(flatten)]
    pub(crate) rest: Map<String, Value>,
    #[serde(skip)]
    pub(crate) file: String,
}

/// What is sent, and what comes of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    pub(crate) sidecar: String,

    // The token.
    /// Whose it is: `user` or `workload`.
    pub(crate) kind: String,
    /// The key that signs, and that the header names.
    pub(crate) key: String,
    pub(crate) header: String,
    pub(crate) without_header: Vec<String>,
    pub(crate) header_members: String,
    pub(crate) header_text: String,
    pub(crate) claims: String,
    pub(crate) without: Vec<String>,
    pub(crate) members: String,
    pub(crate) payload: String,
    pub(crate) signed: String,
    pub(crate) signature: String,
    /// What is put in another one's place once the token is signed.
    pub(crate) afterwards: BTreeMap<String, (String, String)>,
    pub(crate) token: String,

    // The request.
    pub(crate) authorization: Vec<String>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) body: String,
    pub(crate) peer: String,
    pub(crate) tool: String,

    // The answer.
    /// What the server is told: headers that are set, and those (null) that are not there.
    pub(crate) allowed: Option<BTreeMap<String, Option<String>>>,
    /// What the record says that proved the workload.
    pub(crate) proof: Option<String>,
    /// Why the same token is refused to another workload, be it kept or not.
    pub(crate) from_elsewhere: Option<String>,
    /// The reason.
    pub(crate) refused: Option<String>,
    /// What the record says of it.
    pub(crate) why: Option<String>,
    /// The HTTP status, where the reason alone does not say it.
    pub(crate) status: Option<u16>,
    /// What the challenge says, where the reason alone does not.
    pub(crate) challenge: Option<String>,
    /// What comes of it through a real Envoy, where that is something else; read by
    /// `tests/e2e/test_rows.py`.
    #[serde(rename = "envoy")]
    pub(crate) _envoy: Option<Value>,
}

/// A number, perhaps with a letter.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Id {
    Number(u32),
    Text(String),
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

impl Id {
    /// The row of the list.
    pub(crate) fn number(&self) -> u32 {
        let text = self.to_string();
        let letter = text.trim_start_matches(|c: char| c.is_ascii_digit());
        let is_letter = letter.chars().all(|c| c.is_ascii_lowercase()) && letter.len() <= 2;
        assert!(is_letter, "`{text}` is no number and letter");
        text.trim_end_matches(letter).parse().unwrap()
    }
}

impl Row {
    pub(crate) fn case(&self, usual: &Map<String, Value>) -> Result<Case, String> {
        let mut case = usual.clone();
        case.extend(self.rest.clone());
        serde_json::from_value(case.into()).map_err(|error| error.to_string())
    }
}

pub(crate) fn setup() -> Setup {
    read(&directory().join("setup.yaml"))
}

/// Every row of every file.
pub(crate) fn rows() -> Vec<Row> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        rows: Vec<Row>,
    }
    let mut files: Vec<_> = std::fs::read_dir(directory().join("rows"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let mut all = Vec::new();
    for path in files {
        let file = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let rows = read::<File>(&path).rows;
        all.extend(rows.into_iter().map(|row| Row { file: file.clone(), ..row }));
    }
    all
}

pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> T {
    let text = std::fs::read_to_string(path).unwrap();
    let (mut sources, mut problems) = (Sources::default(), Vec::new());
    let source = sources.add(Source { path: path.to_owned(), text: text.clone() });
    let tree = yaml::parse(source, &text, &mut problems);
    let Some(tree) = tree.filter(|_| problems.is_empty()) else {
        panic!("{}", Diagnostics { sources, list: problems });
    };
    serde_json::from_value(value(&tree)).unwrap_or_else(|error| panic!("{path:?}: {error}"))
}

fn value(node: &Node) -> Value {
    match &node.kind {
        Kind::Text(text) => Value::from(text.as_str()),
        Kind::Plain(Plain::Null, _) => Value::Null,
        Kind::Plain(Plain::Bool(value), _) => Value::from(*value),
        Kind::Plain(Plain::Integer | Plain::Float, text) => serde_json::from_str(text).unwrap(),
        Kind::Sequence(items) => items.iter().map(value).collect(),
        Kind::Mapping(entries) => {
            let entries = entries.iter().map(|(key, node)| (key.text.clone(), value(node)));
            Value::Object(entries.collect::<Map<_, _>>())
        }
    }
}
