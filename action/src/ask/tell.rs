//! What a step says of what it found out: outputs, summary, annotation and comment.

use super::{Found, Step};
use crate::commands::Level;
use crate::comment::Commenter;
use crate::inputs::Mode;
use crate::outcome::{Outcome, Stop};
use crate::summary::{Told, summary};

impl Step<'_> {
    /// Outputs, summary and the one annotation.
    pub(super) fn report(&self, found: &mut Found, stopped: &Stop) {
        let Stop { outcome, why } = stopped;
        // A command that failed has its own code.
        let level = match (outcome.code(), &found.failed) {
            (0, None) => Level::Notice,
            _ => Level::Error,
        };
        let why = found.failed.clone().unwrap_or_else(|| why.clone());
        let link = found.request.as_ref().map(|request| request.url.as_str()).unwrap_or_default();
        let message = [why.as_str(), link].into_iter().filter(|text| !text.is_empty());
        let message = message.collect::<Vec<_>>().join("\n");
        let title = match &found.failed {
            None => outcome.title(),
            Some(_) => "The command failed",
        };
        self.log.annotate(level, &format!("Assent: {title}"), &message);
        self.show(found, Some(*outcome), &why);
        if let Err(error) = self.give_outputs(found, *outcome) {
            self.log.say(error.why);
        }
    }

    pub(super) fn show(&self, found: &mut Found, outcome: Option<Outcome>, why: &str) {
        let markdown = self.told(found, outcome, why);
        if let Err(error) = self.runner.summarize(&markdown, &found.shown) {
            self.log.say(error.to_string());
        }
        found.shown = markdown;
    }

    /// What is shown, as Markdown.
    fn told(&self, found: &Found, outcome: Option<Outcome>, why: &str) -> String {
        let told = Told {
            outcome,
            why: Some(why),
            request: found.request.as_ref(),
            plan: found.plan.as_ref(),
            waited: found.since.map(|since| since.elapsed()).unwrap_or_default(),
        };
        summary(&told, &self.inputs.url)
    }

    /// Tells the pull request, while it is asked and again in the end, by one comment. What another job
    /// said of the request is brought up to date. Of jobs that share a request each would say the same,
    /// so none does.
    pub(super) async fn comment(&self, found: &mut Found, stopped: Option<&Stop>) {
        let Some(request) = found.request.clone().filter(|_| !self.inputs.shared) else { return };
        let why = stopped.map(|stop| stop.why.as_str()).unwrap_or_default();
        let markdown = self.told(found, stopped.map(|stop| stop.outcome), why);
        let token = self.inputs.comments_with.clone();
        let new = || Commenter::new(token?, self.runner, &request.id);
        let Some(mut comments) = found.comments.take().or_else(new) else { return };
        let said = match self.inputs.mode {
            Mode::Check => comments.say_again(&markdown).await,
            Mode::Wait | Mode::Submit | Mode::Run => comments.say(&markdown).await,
        };
        match said {
            Ok(()) => found.comments = Some(comments),
            Err(why) if !found.is_unsaid => {
                found.is_unsaid = true;
                self.log.say(format!("the pull request is not told: {why}"));
            }
            Err(_) => {}
        }
    }

    fn give_outputs(&self, found: &Found, outcome: Outcome) -> Result<(), Stop> {
        let give = |name: &str, value: &str| self.runner.output(name, value);
        give("outcome", outcome.word())?;
        if let Some(request) = &found.request {
            give("request-id", &request.id)?;
            give("url", &request.url)?;
            give("state", &request.state)?;
            let who: Vec<_> = request.approved_by.iter().map(String::as_str).collect();
            give("approved-by", &who.join(","))?;
            give("digest", request.intent.digest.as_deref().unwrap_or_default())?;
        }
        if let Some(credential) = &found.credential {
            give("expires-at", &credential.expires_at)?;
        }
        if let Some(file) = &found.credential_file {
            give("credential-file", file)?;
        }
        Ok(())
    }
}
