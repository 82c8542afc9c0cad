//! Rules and risk factors.

use std::collections::BTreeSet;

use crate::intent::MAX_DURATION;
use crate::membership::Approver;
use crate::policy::ask::{Dialect, Hidden};
use crate::policy::document::keys;
use crate::policy::document::reader::{Fields, Reader};
use crate::policy::document::{
    AllowText, AskText, DEFAULT_DENY, Effect, EngineText, Limits, Place, Placed, PostReviewText,
    RequireText, Rule, ShapeText, StageText,
};
use crate::policy::risk::Factor;
use crate::policy::ruling::{Escalation, MeansWanted, SHORTEST_HEARTBEAT, SignatureDemand};
use crate::policy::yaml::{Node, Yaml};
use crate::time::Span;

/// What a stage asks of, where it is not a group or a person: everybody who owns the target.
const OWNERS: &str = "owners_of(target)";

/// What an external engine has where nothing is said, and at most.
const OPA_TIMEOUT: Span = Span::from_millis(50);
const MAX_OPA_TIMEOUT: Span = Span::seconds(5);

impl Reader<'_> {
    pub(super) fn rules(&mut self, node: &Node) -> Vec<Rule> {
        let items = self.list(node).unwrap_or_default();
        items.iter().filter_map(|item| self.rule(item)).collect()
    }

    pub(super) fn factors(&mut self, node: &Node) -> Vec<Placed<Factor>> {
        let items = self.list(node).unwrap_or_default();
        items.iter().filter_map(|item| self.factor(item)).collect()
    }

    fn factor(&mut self, node: &Node) -> Option<Placed<Factor>> {
        let fields = self.members(node, &keys::FACTOR);
        let id = fields.get("id").and_then(|node| self.text(node));
        self.optional_text(fields.get("description"));
        let weight = fields.get("weight").and_then(|node| self.count(node, 1, 1000));
        let when = fields.get("when").map(|node| self.conditions(node))?;
        let id = id?;
        self.name(&node.place, &id);
        Some(Placed { place: node.place.clone(), value: Factor { id, weight: weight?, when } })
    }

    fn rule(&mut self, node: &Node) -> Option<Rule> {
        let fields = self.members(node, &keys::RULE);
        let id = self.text(fields.get("id")?)?;
        self.name(&node.place, &id);
        if id == DEFAULT_DENY {
            self.fault(&node.place, format_args!("`{id}` is what a ruling by no rule is called"));
        }
        let description = self.optional_text(fields.get("description"));
        let when = fields.get("when").map(|node| self.conditions(node)).unwrap_or_default();
        let effects = ["deny", "require", "allow", "ask"];
        let written: Vec<_> =
            effects.iter().filter_map(|e| fields.get(e).map(|n| (*e, n))).collect();
        let [(effect, body)] = written.as_slice() else {
            let message = "a rule has exactly one of deny, require, allow and ask";
            self.fault(&node.place, format_args!("rule `{id}`: {message}"));
            return None;
        };
        let effect = match *effect {
            "deny" => self.deny(body)?,
            "require" => Effect::Require(self.require(&id, body)?),
            "ask" => Effect::Ask(self.ask(&id, body)?),
            _ => Effect::Allow(self.allow(body)),
        };
        Some(Rule { id, description, place: node.place.clone(), when, effect })
    }

    fn deny(&mut self, node: &Node) -> Option<Effect> {
        let fields = self.members(node, &keys::DENY);
        let waivable = fields.get("waivable").and_then(|node| self.boolean(node)).unwrap_or(false);
        let notify = self.set_of(fields.get("notify"), "notify");
        Some(Effect::Deny { message: self.text(fields.get("message")?)?, waivable, notify })
    }

    fn require(&mut self, rule: &str, node: &Node) -> Option<RequireText> {
        let fields = self.members(node, &keys::REQUIRE);
        let expires_after = self.span(fields.get("request_expires"));
        let limits = self.limits(fields.get("credential"));
        let escalate = fields.get("escalate").and_then(|node| self.escalation(node));
        let remind = self.span(fields.get("remind"));
        if let (Some(node), Some(remind)) = (fields.get("remind"), remind)
            && remind < Span::minutes(1)
        {
            self.fault(&node.place, "people are reminded once a minute at most");
        }
        let parallel = fields.get("parallel").and_then(|node| self.boolean(node)).unwrap_or(false);
        let notify = self.set_of(fields.get("notify"), "notify");
        let mut stages = self.stages(rule, fields.get("stages")?)?;
        // Nobody here steps in for another organisation, and its people its own authority reminds.
        for stage in stages.iter_mut().filter(|stage| stage.authority.is_none()) {
            stage.escalate.clone_from(&escalate);
            stage.remind = remind;
        }
        Some(RequireText { stages, parallel, expires_after, limits, notify })
    }

    fn escalation(&mut self, node: &Node) -> Option<Escalation> {
        let fields = self.members(node, &keys::ESCALATE);
        let after = self.span(fields.get("after"));
        let to = self.set_of::<Approver>(fields.get("to"), "to");
        let then_expire_after = self.span(fields.get("then_expire_after"));
        Some(Escalation { after: after?, to, then_expire_after })
    }

    fn stages(&mut self, rule: &str, list: &Node) -> Option<Vec<StageText>> {
        let items = self.list(list)?;
        if items.is_empty() {
            self.fault(&list.place, "`stages` is empty: name at least one");
        }
        let mut stages: Vec<StageText> = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let Some(stage) = self.stage(rule, index, item) else { continue };
            if stages.iter().any(|other| other.name == stage.name) {
                self.fault(&stage.place, format_args!("two stages are named `{}`", stage.name));
            }
            stages.push(stage);
        }
        Some(stages)
    }

    fn stage(&mut self, rule: &str, index: usize, node: &Node) -> Option<StageText> {
        let fields = self.members(node, &keys::STAGE);
        let name = match fields.get("name") {
            Some(node) => self.text(node)?,
            None => format!("{}", index + 1),
        };
        self.name(&node.place, &name);
        let authority = fields.get("from").and_then(|node| self.elsewhere(node, &fields));
        let (from, owners) = match authority {
            Some(_) => (BTreeSet::new(), false),
            None => self.asked(fields.get("from")),
        };
        let exclude = self.approvers(fields.get("exclude").copied());
        let approvals = self.count(fields.get("approvals")?, 1, 100)?;
        Some(StageText {
            place: node.place.clone(),
            name: format!("{rule}/{name}"),
            approvals,
            from,
            owners,
            authority,
            exclude: exclude.into_iter().map(|(_, approver)| approver).collect(),
            login_within: self.span(fields.get("login_within")),
            signature: fields.get("signature").and_then(|node| self.signature(node)),
            means: MeansWanted {
                acr: self.any_of(&fields, "acr"),
                amr: self.any_of(&fields, "amr"),
            },
            expires_after: self.span(fields.get("expires_after")),
            escalate: None,
            remind: None,
        })
    }

    /// `passkey`, or which kind of one.
    fn signature(&mut self, node: &Node) -> Option<SignatureDemand> {
        if matches!(node.value, Yaml::Text(_)) {
            return self.word(node, &[("passkey", SignatureDemand::default())]);
        }
        let fields = self.members(node, &keys::SIGNATURE);
        let device_bound = self.word(fields.get("passkey")?, &keys::PASSKEY)?;
        let enrolled_for = self.span(fields.get("enrolled_for"));
        let vouched = fields.get("vouched").and_then(|node| self.boolean(node)).unwrap_or(false);
        Some(SignatureDemand { device_bound, enrolled_for, vouched })
    }

    /// A list of which any is enough, where it is written.
    fn any_of(&mut self, stage: &Fields<'_>, key: &str) -> BTreeSet<BTreeSet<String>> {
        let Some(node) = stage.get(key) else { return BTreeSet::new() };
        let all: BTreeSet<String> =
            self.texts(node, key).into_iter().map(|(_, text)| text).collect();
        let fits = |text: &String| (1..=255).contains(&text.len()) && !text.contains(' ');
        if all.is_empty() || !all.iter().all(fits) {
            let message = "list at least one, each of 1 to 255 letters without spaces";
            self.fault(&node.place, format_args!("`{key}`: {message}"));
        }
        BTreeSet::from([all])
    }

    /// The authority that reviews the stage, where one does: it, and nobody here beside it.
    fn elsewhere(&mut self, from: &Node, stage: &Fields<'_>) -> Option<String> {
        let Yaml::List(items) = &from.value else { return None };
        let item = items.iter().find(|item| matches!(item.value, Yaml::Map(_)))?;
        let fields = self.members(item, &keys::ELSEWHERE);
        if items.len() > 1 {
            let message = "a stage asks one authority and nobody beside it: make two stages";
            self.fault(&from.place, message);
        }
        for key in ["exclude", "login_within", "acr", "amr", "signature"] {
            if let Some(node) = stage.get(key) {
                let message = "says nothing to another organisation, whose own rules hold there";
                self.fault(&node.place, format_args!("`{key}` {message}"));
            }
        }
        let name = self.text(fields.get("authority")?)?;
        self.name(&item.place, &name);
        Some(name)
    }

    /// Who is asked, and whether the target's owners are among them.
    fn asked(&mut self, node: Option<&&Node>) -> (BTreeSet<Approver>, bool) {
        let Some(node) = node else { return (BTreeSet::new(), false) };
        let texts = self.texts(node, "from");
        let owners = texts.iter().any(|(_, text)| text == OWNERS);
        let named = texts.into_iter().filter(|(_, text)| text != OWNERS);
        let mut from = BTreeSet::new();
        for (place, text) in named {
            match text.parse::<Approver>() {
                Ok(approver) => drop(from.insert(approver)),
                Err(error) => self.fault(&place, format_args!("{error}, or {OWNERS}")),
            }
        }
        (from, owners)
    }

    fn allow(&mut self, node: &Node) -> AllowText {
        let fields = self.members(node, &keys::ALLOW);
        AllowText {
            limits: self.limits(fields.get("credential")),
            waives: self.waives(&fields),
            notify: self.set_of(fields.get("notify"), "notify"),
            post_review: fields.get("post_review").and_then(|node| self.post_review(node)),
        }
    }

    fn waives(&mut self, fields: &Fields<'_>) -> Vec<(Place, String)> {
        fields.get("waives").map(|node| self.texts(node, "waives")).unwrap_or_default()
    }

    fn post_review(&mut self, node: &Node) -> Option<PostReviewText> {
        let fields = self.members(node, &keys::POST_REVIEW);
        let by = self.set_of(fields.get("by"), "by");
        let approvals = match fields.get("approvals") {
            Some(node) => self.count(node, 1, 100),
            None => Some(1),
        };
        let within = self.span(fields.get("within"));
        let missed = match fields.get("if_missed") {
            Some(node) => self.members(node, &keys::IF_MISSED),
            None => Fields::new(),
        };
        let suspend = missed
            .get("suspend")
            .and_then(|node| self.text(node).map(|rule| (node.place.clone(), rule)));
        let notify = self.set_of(missed.get("notify"), "notify");
        let place = node.place.clone();
        let (approvals, within) = (approvals?, within?);
        Some(PostReviewText { place, by, approvals, within, suspend, notify })
    }

    fn ask(&mut self, rule: &str, node: &Node) -> Option<AskText> {
        let fields = self.members(node, &keys::ASK);
        let dialect = fields.get("dialect").and_then(|node| self.word(node, &Dialect::ALL))?;
        let query = self.optional_text(fields.get("query"));
        let namespace = self.optional_text(fields.get("namespace"));
        if let (Some(node), false) = (fields.get("namespace"), dialect.takes_namespace()) {
            let word = dialect.word();
            self.fault(&node.place, format_args!("the dialect {word} has a package of its own"));
        }
        let hidden = match fields.get("hidden") {
            Some(node) => self.word(node, &Hidden::ALL)?,
            None => Hidden::Warn,
        };
        let shape = ShapeText { dialect, query, namespace, hidden };
        let is_rego = [("rego", true), ("opa", false)];
        let engine = fields.get("engine").and_then(|node| self.word(node, &is_rego))?;
        let foreign: &[&str] = if engine {
            &["url", "token_file", "ca_file", "timeout"]
        } else {
            &["files", "data", "rego"]
        };
        for (key, node) in fields.iter().filter(|(key, _)| foreign.contains(key)) {
            let engine = if engine { "rego" } else { "opa" };
            self.fault(&node.place, format_args!("`{key}` says nothing to the engine {engine}"));
        }
        let engine =
            if engine { self.rego(node, &fields, shape)? } else { self.opa(node, &fields, shape)? };
        let stages = match fields.get("stages") {
            Some(node) => self.stages(rule, node)?,
            None => Vec::new(),
        };
        let waives = self.waives(&fields);
        if let (Some(node), false) = (fields.get("waives"), dialect.can_allow()) {
            let word = dialect.word();
            self.fault(&node.place, format_args!("a policy of dialect {word} cannot approve"));
        }
        Some(AskText { place: node.place.clone(), engine, stages, waives })
    }

    fn rego(&mut self, node: &Node, fields: &Fields<'_>, shape: ShapeText) -> Option<EngineText> {
        let Some(files) = fields.get("files") else {
            return self.lacks(node, "files");
        };
        let files = self.texts(files, "files");
        let data = fields.get("data").map(|node| self.texts(node, "data")).unwrap_or_default();
        let v0 = match fields.get("rego") {
            Some(node) => self.word(node, &[("v0", true), ("v1", false)])?,
            None => false,
        };
        Some(EngineText::Rego { files, data, v0, shape })
    }

    fn opa(&mut self, node: &Node, fields: &Fields<'_>, shape: ShapeText) -> Option<EngineText> {
        let Some(url) = fields.get("url") else { return self.lacks(node, "url") };
        let text = self.text(url)?;
        let is_http = ["https://", "http://127.0.0.1", "http://localhost", "http://[::1]"];
        if !is_http.iter().any(|scheme| text.starts_with(scheme)) {
            self.fault(&url.place, "expected an https URL (or http to loopback)");
        }
        let timeout = match fields.get("timeout") {
            Some(node) => self.timeout(node)?,
            None => OPA_TIMEOUT,
        };
        Some(EngineText::Opa {
            url: text,
            token_file: self.optional_text(fields.get("token_file")),
            ca_file: self.optional_text(fields.get("ca_file")),
            timeout,
            shape,
        })
    }

    /// Milliseconds or a duration: engines answer sooner than people.
    fn timeout(&mut self, node: &Node) -> Option<Span> {
        let text = self.text(node)?;
        let millis = text.strip_suffix("ms").and_then(|digits| digits.parse::<u64>().ok());
        let span = match millis {
            Some(millis) => Span::from_millis(millis),
            None => self.parse(&node.place, &text)?,
        };
        if span == Span::ZERO || span > MAX_OPA_TIMEOUT {
            let message = format!("expected 1ms to {MAX_OPA_TIMEOUT}");
            self.fault(&node.place, message);
        }
        Some(span)
    }

    fn lacks<T>(&mut self, node: &Node, key: &str) -> Option<T> {
        self.fault(&node.place, format_args!("ask lacks `{key}`"));
        None
    }

    fn limits(&mut self, node: Option<&&Node>) -> Limits {
        let Some(node) = node else { return Limits::default() };
        let fields = self.members(node, &keys::CREDENTIAL);
        self.limit_fields(&fields)
    }

    fn heartbeat(&mut self, node: Option<&&Node>) -> Option<Span> {
        let heartbeat = self.span(node);
        if let (Some(node), Some(_)) = (node, heartbeat.filter(|span| *span < SHORTEST_HEARTBEAT)) {
            let message = format_args!("a holder may be silent for at least {SHORTEST_HEARTBEAT}");
            self.fault(&node.place, message);
        }
        heartbeat
    }

    pub(super) fn limit_fields(&mut self, fields: &Fields<'_>) -> Limits {
        let audiences = fields.get("audiences").map(|node| {
            self.texts(node, "audiences").into_iter().map(|(_, audience)| audience).collect()
        });
        let max_ttl = self.span(fields.get("max_ttl"));
        if let (Some(node), true) = (fields.get("max_ttl"), max_ttl > Some(MAX_DURATION)) {
            self.fault(&node.place, format_args!("a credential lives at most {MAX_DURATION}"));
        }
        Limits {
            max_ttl,
            uses: fields.get("uses").and_then(|node| self.count(node, 1, 1000)),
            audiences,
            grant_window: self.span(fields.get("grant_window")),
            broker: self.optional_text(fields.get("broker")),
            role: self.optional_text(fields.get("role")),
            heartbeat: self.heartbeat(fields.get("heartbeat")),
            reuse_within_run: fields.get("reuse_within_run").and_then(|node| self.boolean(node)),
            dpop: fields.get("dpop").and_then(|node| self.word(node, &keys::DPOP)),
        }
    }
}
