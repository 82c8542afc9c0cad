//! `assent admin github doctor`

use assent_client::Client;
use assent_client::wire::{GithubCheckup, GithubFinding, GithubVerdict};

use crate::args::GithubDoctorArgs;
use crate::failure::{Exit, Failure};
use crate::output::{Output, Paint, clean};

/// Says what weakens the gates of a repository, and ends by what was found.
pub(super) async fn run(
    args: &GithubDoctorArgs,
    client: &Client,
    output: &Output,
) -> Result<Exit, Failure> {
    let checkup = client.github_doctor(&args.repository, args.environment.as_deref()).await?;
    let count = |verdict| checkup.findings.iter().filter(|one| one.verdict == verdict).count();
    let (weak, unknown) = (count(GithubVerdict::Weakens), count(GithubVerdict::Unknown));
    if args.printing.is_json() {
        output.json(&checkup)?;
    } else {
        output.data(text(&checkup, output.data_paint()))?;
        output.talk(match (weak, unknown) {
            (0, 0) => "nothing weakens its gates".to_owned(),
            (weak, 0) => format!("{weak} of it weakens its gates"),
            (weak, unknown) => {
                format!("{weak} of it weakens its gates; {unknown} could not be found out")
            }
        });
    }
    Ok(match (weak, unknown) {
        (0, 0) => Exit::Granted,
        (0, _) => Exit::Unknown,
        _ => Exit::Refused,
    })
}

/// The findings under the environment that they are of, those of the repository first.
fn text(checkup: &GithubCheckup, paint: Paint) -> String {
    let mut lines = Vec::new();
    let mut heading = None;
    for finding in &checkup.findings {
        let of = finding.environment.as_ref().unwrap_or(&checkup.repository);
        if heading != Some(of) {
            lines.extend(heading.map(|_| String::new()));
            lines.push(paint.strong(&clean(of)));
            heading = Some(of);
        }
        lines.extend(shown(finding, paint));
    }
    lines.join("\n")
}

fn shown(finding: &GithubFinding, paint: Paint) -> Vec<String> {
    let word = match finding.verdict {
        GithubVerdict::Good => paint.good("good   "),
        GithubVerdict::Note => paint.faint("note   "),
        GithubVerdict::Weakens => paint.bad("weakens"),
        GithubVerdict::Unknown => paint.open("unknown"),
    };
    let mut lines = vec![format!("  {word}  {}", clean(&finding.found))];
    let more = [
        ("because", finding.weakens.as_ref()),
        ("to do", finding.remedy.as_ref()),
        ("where", finding.link.as_ref()),
    ];
    for (name, said) in more {
        lines.extend(said.map(|said| format!("           {name}: {}", clean(said))));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(environment: Option<&str>, verdict: GithubVerdict) -> GithubFinding {
        let is_weak = verdict == GithubVerdict::Weakens;
        let told = |text: &str| is_weak.then(|| text.to_owned());
        GithubFinding {
            about: "rule".to_owned(),
            environment: environment.map(str::to_owned),
            verdict,
            found: "the rule is \u{1b}[31mthere".to_owned(),
            weakens: told("runs go on"),
            remedy: told("tick it"),
            link: told("https://github.com/acme/shop/settings/environments/5/edit"),
        }
    }

    #[test]
    fn findings_stand_under_what_they_are_of_and_move_no_cursor() {
        let checkup = GithubCheckup {
            repository: "acme/shop".to_owned(),
            environments: vec!["production".to_owned()],
            findings: vec![
                finding(None, GithubVerdict::Good),
                finding(Some("production"), GithubVerdict::Weakens),
            ],
        };
        let told = text(&checkup, Paint::new(false));
        assert!(!told.contains('\u{1b}'), "{told}");
        let lines: Vec<&str> = told.lines().collect();
        assert_eq!(lines.len(), 8, "{told}");
        assert_eq!((lines[0], lines[2], lines[3]), ("acme/shop", "", "production"));
        assert!(lines[4].starts_with("  weakens  the rule is "), "{told}");
        assert_eq!(lines[6], "           to do: tick it");
    }
}
