//! `toolgate schema`

use std::path::PathBuf;

use clap::ValueEnum;
use clap::builder::PossibleValue;

use super::exit::{Exit, fail, hint, print};
use crate::disk;
use crate::schema::{Kind, schema};

/// Print the JSON Schema of a kind of file, for editors
///
/// Draft 2020-12. `# yaml-language-server: $schema=PATH` as a file's first line names its schema.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The kind of file
    #[arg(value_enum, required_unless_present = "out")]
    kind: Option<Kind>,
    /// Write every schema as DIR/KIND.json instead
    #[arg(long, value_name = "DIR", conflicts_with = "kind")]
    out: Option<PathBuf>,
}

impl ValueEnum for Kind {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}

pub(super) fn run(args: &Args) -> Exit {
    if let Some(kind) = args.kind {
        print(format_args!("{:#}\n", schema(kind)));
    }
    let Some(out) = &args.out else { return Exit::Success };
    if !out.is_dir() {
        let exit = fail(format_args!("{}: not a directory", out.display()));
        hint("`--out` names a directory that is there");
        return exit;
    }
    for kind in Kind::ALL {
        let path = out.join(format!("{}.json", kind.name()));
        let text = format!("{:#}\n", schema(kind));
        if let Err(error) = disk::replace_file(&path, text.as_bytes()) {
            return fail(format_args!("{}: {error}", path.display()));
        }
    }
    Exit::Success
}
