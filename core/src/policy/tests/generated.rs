//! What holds for every policy and every situation: both are made at random, from most of the
//! language, and read from the text they would be written in.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::*;
use crate::plan;
use crate::policy::explanation::Explanation;
use crate::policy::opinion::Opinion;
use crate::policy::ruling::{Requirement, Terms};
use crate::policy::situation::{Concerns, KnownPlan, Network};
use crate::signal::Concern;
use crate::time::{Span, Timestamp};

/// One line of a `when`: what is tested, and how.
const TESTS: [(&str, &str); 50] = [
    ("intent.kind", "a.apply"),
    ("intent.kind", "[a.apply, b.read]"),
    ("intent.kind", "{glob: 'a.*'}"),
    ("intent.kind", "{not: b.read}"),
    ("intent.category", "change"),
    ("intent.environment", "x"),
    ("intent.environment", "{in: [x, y]}"),
    ("intent.environment", "{any: [{prefix: x}, {suffix: z}]}"),
    ("intent.target.t", "u"),
    ("intent.target.t", "{in: [u, w], not: w}"),
    ("intent.target.team", "{same_as: requester.claims.team}"),
    ("intent.target.repo", "{glob: 'acme/**'}"),
    ("intent.reason", "{prefix: b}"),
    ("intent.digest", "{prefix: 'sha256:'}"),
    ("intent.duration", "{gt: 10m, lte: 1h}"),
    ("environment.tier", "critical"),
    ("environment.labels.region", "eu"),
    ("requester.sub", "alice"),
    ("requester.kind", "workload"),
    ("requester.groups", "{contains: g}"),
    ("requester.groups", "{contains_any: [h, oncall]}"),
    ("requester.states", "{contains: risky}"),
    ("environment.states", "{contains_any: [incident]}"),
    ("requester.claims.team", "core"),
    ("requester.claims.level", "{gte: 3}"),
    ("requester.network.ip", "{cidr: [10.0.0.0/8, '2001:db8::/32']}"),
    ("requester.network.country", "[DE, FR]"),
    ("plan.tags_only", "true"),
    ("plan.touches_iam", "true"),
    ("plan.deletes", "{gt: 0}"),
    ("plan.change_count", "{gte: 1, lt: 5}"),
    ("plan.types", "{contains: aws_iam_role}"),
    ("plan.changes", "{some: {type: aws_iam_role}}"),
    ("plan.changes", "{every: {tags_only: true}}"),
    ("plan.changes", "{some: {any: [{touches_iam: true}, {actions: {contains: delete}}]}}"),
    ("now", "{within: office}"),
    ("now", "{within: {days: [friday, saturday], from: '22:00', to: '06:00'}}"),
    ("now", "{before: 2026-11-20T12:00:00Z}"),
    ("now.weekday", "[friday, sunday]"),
    ("now.time", "{gte: '09:00', lt: '17:00'}"),
    ("now.date", "2026-11-20"),
    ("signals.incident.severity", "[sev1, sev2]"),
    ("signals.count", "{gte: 2}"),
    ("signals.people", "{some: {level: {gt: 1}}}"),
    ("context.break_glass", "true"),
    ("context.n", "{any: [{lt: 3}, {gt: 7}]}"),
    ("context.list", "{contains_all: [1, a]}"),
    ("context.since", "{gt: 1h}"),
    ("risk.score", "{gte: 50}"),
    ("risk.score", "{not: {lt: 20}}"),
];

/// Attributes whose presence alone can be asked for.
const THERE: [&str; 6] = [
    "context.ticket",
    "context.break_glass",
    "signals.incident.severity",
    "intent.digest",
    "requester.network.ip",
    "requester.claims.team",
];

#[derive(Clone, Debug)]
enum When {
    Test(usize),
    /// Something is there, or is not: whichever may stand in this place.
    There(usize),
    Not(Vec<When>),
    Any(Vec<Vec<When>>),
    All(Vec<Vec<When>>),
}

/// What `exists` may be where it stands: what permits less when something is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exists {
    May(bool),
    MayNot,
}

impl When {
    fn written(&self, exists: Exists) -> String {
        let all = |whens: &[Self], exists| {
            let each: Vec<_> =
                whens.iter().map(|one| format!("{{{}}}", one.written(exists))).collect();
            format!("{{all: [{}]}}", each.join(", "))
        };
        let branches = |whens: &[Vec<Self>]| {
            let each: Vec<_> = whens.iter().map(|branch| all(branch, exists)).collect();
            each.join(", ")
        };
        match self {
            Self::Test(at) => format!("{}: {}", TESTS[*at].0, TESTS[*at].1),
            Self::There(at) => match exists {
                Exists::May(value) => format!("{}: {{exists: {value}}}", THERE[*at]),
                Exists::MayNot => format!("{}: {}", TESTS[*at].0, TESTS[*at].1),
            },
            Self::Not(inner) => {
                let flipped = match exists {
                    Exists::May(value) => Exists::May(!value),
                    Exists::MayNot => Exists::MayNot,
                };
                format!("not: {}", all(inner, flipped))
            }
            Self::Any(inner) => format!("any: [{}]", branches(inner)),
            Self::All(inner) => format!("all: [{}]", branches(inner)),
        }
    }

    fn asks_for_presence(&self) -> bool {
        match self {
            Self::Test(_) => false,
            Self::There(_) => true,
            Self::Not(inner) => inner.iter().any(Self::asks_for_presence),
            Self::Any(inner) | Self::All(inner) => {
                inner.iter().flatten().any(Self::asks_for_presence)
            }
        }
    }
}

#[derive(Clone, Debug)]
enum Does {
    Deny,
    WaivableDeny,
    Require(String),
    Allow { rest: String, waives: BTreeSet<usize> },
    Ask { stages: bool, waives: BTreeSet<usize> },
}

#[derive(Clone, Debug)]
struct Written {
    when: Vec<When>,
    does: Does,
}

impl Written {
    fn may_be_waived(&self) -> bool {
        matches!(self.does, Does::WaivableDeny | Does::Require(_))
    }
}

#[derive(Clone, Debug)]
struct Sketch {
    rules: Vec<Written>,
    factors: Vec<Vec<When>>,
}

const HEADER: &str = "apiVersion: assent/v1\nkind: Policy\n";
const NAMED: &str = "
defaults: {timezone: Europe/Berlin, request_expires: 20h}
kinds: {c.odd: change}
environments: {x: {tier: critical, labels: {region: eu}}, y: {tier: low}, z: {labels: {region: us}}}
groups: {g: [person:bob, person:carol], h: [person:bob, person:alice], oncall: [person:oscar], leads: [person:lena]}
owners: [{target: {repo: 'acme/**'}, owners: [group:g]}, {target: {team: '*'}, owners: [group:h]}]
calendars: {office: {days: [monday, friday], from: '09:00', to: '17:00', exclude: [2026-12-25]}}
";

impl Sketch {
    /// One line for each rule and factor, with a waiver only of what may be waived.
    fn lines(&self) -> (Vec<String>, Vec<String>) {
        let waivable = |ids: &BTreeSet<usize>| {
            let may = |id: &&usize| self.rules.get(**id).is_some_and(Written::may_be_waived);
            let ids: Vec<_> = ids.iter().filter(may).map(|id| format!("r{id}")).collect();
            if ids.is_empty() { String::new() } else { format!("waives: [{}], ", ids.join(", ")) }
        };
        let rule = |(id, rule): (usize, &Written)| {
            let (exists, does) = match &rule.does {
                Does::Deny => (Exists::May(false), "deny: {message: no}".to_owned()),
                Does::WaivableDeny => {
                    (Exists::MayNot, "deny: {message: not now, waivable: true}".to_owned())
                }
                Does::Require(rest) => (Exists::May(false), format!("require: {{{rest}}}")),
                Does::Allow { rest, waives } => {
                    (Exists::May(true), format!("allow: {{{}{rest}}}", waivable(waives)))
                }
                Does::Ask { stages, waives } => {
                    let stages = match stages {
                        true => "stages: [{approvals: 1, from: [group:leads]}], ",
                        false => "",
                    };
                    let engine =
                        "engine: opa, dialect: assent, url: 'https://opa.example.com/v1/data/x'";
                    (Exists::MayNot, format!("ask: {{{stages}{}{engine}}}", waivable(waives)))
                }
            };
            // What can stand at the top does, for the index; the rest is put together.
            let (mut top, mut rest, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
            for when in &rule.when {
                match when {
                    When::Test(at) if seen.insert(TESTS[*at].0) => top.push(when.written(exists)),
                    When::Test(_) | When::There(_) | When::Not(_) | When::Any(_) | When::All(_) => {
                        rest.push(format!("{{{}}}", when.written(exists)));
                    }
                }
            }
            top.extend((!rest.is_empty()).then(|| format!("all: [{}]", rest.join(", "))));
            format!("{{id: r{id}, when: {{{}}}, {does}}}", top.join(", "))
        };
        let factor = |(id, when): (usize, &Vec<When>)| {
            let each: Vec<_> = when
                .iter()
                .filter(|when| !reads_risk(when))
                .map(|when| format!("{{{}}}", when.written(Exists::MayNot)))
                .collect();
            let when = if each.is_empty() {
                "{}".to_owned()
            } else {
                format!("{{all: [{}]}}", each.join(", "))
            };
            format!("{{id: f{id}, weight: {}, when: {when}}}", 15 * (id + 1))
        };
        (
            self.rules.iter().enumerate().map(rule).collect(),
            self.factors.iter().enumerate().map(factor).collect(),
        )
    }

    fn files(&self) -> Vec<PolicyDocument> {
        let (rules, factors) = self.lines();
        in_files(&rules, &factors, rules.len(), factors.len())
    }

    #[track_caller]
    fn compiled(&self) -> Policy {
        compiled_from(&self.files())
    }
}

fn reads_risk(when: &When) -> bool {
    match when {
        When::Test(at) => TESTS[*at].0.starts_with("risk."),
        // It is written as a test where `exists` may not stand.
        When::There(_) => false,
        When::Not(inner) => inner.iter().any(reads_risk),
        When::Any(inner) | When::All(inner) => inner.iter().flatten().any(reads_risk),
    }
}

#[track_caller]
fn compiled_from(files: &[PolicyDocument]) -> Policy {
    match Policy::compile(files) {
        Ok(policy) => policy,
        Err(faults) => panic!("{faults:#?}\n{files:#?}"),
    }
}

fn in_files(
    rules: &[String],
    factors: &[String],
    first: usize,
    second: usize,
) -> Vec<PolicyDocument> {
    let list = |name: &str, lines: &[String]| {
        let lines: String = lines.iter().map(|line| format!("  - {line}\n")).collect();
        if lines.is_empty() { String::new() } else { format!("{name}:\n{lines}") }
    };
    let (one, two) = rules.split_at(first.min(rules.len()));
    let (three, four) = factors.split_at(second.min(factors.len()));
    let text = |rules: &[String], factors: &[String]| {
        format!("{HEADER}{}{}", list("rules", rules), list("risk", factors))
    };
    vec![
        document("named.yaml", &format!("{HEADER}{NAMED}")),
        document("one.yaml", &text(one, four)),
        document("two.yaml", &text(two, three)),
    ]
}

fn any_when() -> impl Strategy<Value = When> {
    let leaf = prop_oneof![
        6 => (0usize..TESTS.len()).prop_map(When::Test),
        1 => (0usize..THERE.len()).prop_map(When::There),
    ];
    leaf.prop_recursive(2, 8, 2, |inner| {
        let all = || prop::collection::vec(inner.clone(), 1..3);
        prop_oneof![
            all().prop_map(When::Not),
            prop::collection::vec(all(), 1..3).prop_map(When::Any),
            prop::collection::vec(all(), 1..3).prop_map(When::All),
        ]
    })
}

fn any_limits() -> impl Strategy<Value = String> {
    let word = |of: &'static str| prop_oneof![6 => Just(String::new()), 1 => Just(format!(", {of}: one")), 1 => Just(format!(", {of}: two"))];
    let audiences = prop_oneof![Just(""), Just(", audiences: [p, q]"), Just(", audiences: [q]")];
    let silent = prop_oneof![Just(""), Just(", heartbeat: 1m"), Just(", heartbeat: 2m")];
    let reuse = prop_oneof![
        4 => Just(""), 2 => Just(", reuse_within_run: true"), 1 => Just(", reuse_within_run: false"),
    ];
    let dpop = prop_oneof![6 => Just(""), 1 => Just(", dpop: required")];
    let stated = (1u32..100, 1u32..9, audiences, word("role"), word("broker"), reuse, dpop, silent).prop_map(
        |(minutes, uses, audiences, role, broker, reuse, dpop, silent)| {
            format!("credential: {{max_ttl: {minutes}m, uses: {uses}, grant_window: {}m{audiences}{role}{broker}{reuse}{dpop}{silent}}}", minutes * 2)
        },
    );
    prop_oneof![Just("credential: {}".to_owned()), stated]
}

fn any_require() -> impl Strategy<Value = String> {
    let from = prop_oneof![
        3 => Just("group:g"), 3 => Just("group:h"), 1 => Just("person:dave"), 2 => Just("'owners_of(target)'"),
    ];
    let more = prop_oneof![
        4 => Just(""), 1 => Just(", exclude: [person:bob]"), 1 => Just(", login_within: 1h"), 1 => Just(", signature: passkey"), 1 => Just(", signature: {passkey: device-bound, enrolled_for: 1h, vouched: true}"), 1 => Just(", expires_after: 2h"),
    ];
    let stage =
        (from, more).prop_map(|(from, more)| format!("{{approvals: 1, from: [{from}]{more}}}"));
    let stages = prop_oneof![4 => prop::collection::vec(stage.clone(), 1), 1 => prop::collection::vec(stage, 2)];
    let rest = prop_oneof![
        4 => Just(""),
        1 => Just(", escalate: {after: 30m, to: [group:leads], then_expire_after: 4h}"),
        1 => Just(", escalate: {after: 1h, to: [group:leads, person:zoe]}, remind: 20m"),
        1 => Just(", request_expires: 4h, parallel: true"),
    ];
    (stages, rest, any_limits()).prop_map(|(stages, rest, limits)| {
        // Two stages that ask one and the same person alone could never be filled.
        let few = |stage: &&String| stage.contains("person:dave") || stage.contains("exclude");
        let alone = stages.iter().filter(few).count() > 1;
        let stages = if alone { stages[..1].to_vec() } else { stages };
        format!("stages: [{}]{rest}, {limits}", stages.join(", "))
    })
}

fn any_rule_written() -> impl Strategy<Value = Written> {
    let waives = || prop::collection::btree_set(0usize..6, 0..3);
    let does = prop_oneof![
        2 => Just(Does::Deny),
        2 => Just(Does::WaivableDeny),
        4 => any_require().prop_map(Does::Require),
        5 => (any_limits(), waives()).prop_map(|(rest, waives)| Does::Allow { rest, waives }),
        1 => (any::<bool>(), waives()).prop_map(|(stages, waives)| Does::Ask { stages, waives }),
    ];
    (prop::collection::vec(any_when(), 0..3), does).prop_map(|(when, does)| Written { when, does })
}

fn any_sketch() -> impl Strategy<Value = Sketch> {
    let factors = prop::collection::vec(prop::collection::vec(any_when(), 1..3), 0..4);
    (prop::collection::vec(any_rule_written(), 1..7), factors)
        .prop_map(|(rules, factors)| Sketch { rules, factors })
}

/// A situation that owns what it is made of.
#[derive(Clone, Debug)]
struct Scene {
    intent: UnverifiedIntent,
    requester: Principal,
    known: Known,
    now: Timestamp,
}

impl Scene {
    fn ask<T>(&self, answer: impl FnOnce(&Situation<'_>) -> T) -> T {
        let intent = self.intent.clone().verify().unwrap();
        let (requester, known) = (&self.requester, &self.known);
        answer(&Situation { intent: &intent, requester, known, now: self.now })
    }

    fn ruled(&self, policy: &Policy) -> Ruling {
        self.ask(|situation| policy.rule(situation))
    }

    fn explained(&self, policy: &Policy) -> Explanation {
        self.ask(|situation| policy.explain(situation))
    }

    /// Everything that could be missing, each with the scene without it.
    fn poorer(&self) -> Vec<(String, Self)> {
        let mut all: Vec<(String, Self)> = Vec::new();
        let mut without = |name: String, take: &dyn Fn(&mut Self)| {
            let mut scene = self.clone();
            take(&mut scene);
            all.push((name, scene));
        };
        for key in self.intent.target.keys() {
            without(format!("target {key}"), &|s| drop(s.intent.target.remove(key)));
        }
        without("digest".to_owned(), &|s| s.intent.subject = None);
        without("duration".to_owned(), &|s| s.intent.duration = None);
        without("ip".to_owned(), &|s| s.known.network.ip = None);
        without("country".to_owned(), &|s| s.known.network.country = None);
        without("plan".to_owned(), &|s| s.known.plan = None);
        without("changes".to_owned(), &|s| {
            s.known.plan.iter_mut().for_each(|plan| plan.changes = None);
        });
        without("tags_only".to_owned(), &|s| {
            s.known.plan.iter_mut().for_each(|plan| plan.facts.tags_only = None);
        });
        without("touches_iam".to_owned(), &|s| {
            s.known.plan.iter_mut().for_each(|plan| plan.facts.touches_iam = None);
        });
        type Root = fn(&mut Scene) -> &mut Map<String, Value>;
        let roots: [(&str, &Map<String, Value>, Root); 3] = [
            ("context", &self.intent.context, |s| &mut s.intent.context),
            ("signals", &self.known.signals, |s| &mut s.known.signals),
            ("claims", &self.requester.claims, |s| &mut s.requester.claims),
        ];
        for (name, root, of) in roots {
            for (key, value) in root {
                without(format!("{name}.{key}"), &|s| drop(of(s).remove(key)));
                without(format!("{name}.{key} is null"), &|s| {
                    of(s).insert(key.clone(), Value::Null);
                });
                for member in value.as_object().into_iter().flatten().map(|(member, _)| member) {
                    without(format!("{name}.{key}.{member}"), &|s| {
                        of(s)[key].as_object_mut().unwrap().remove(member);
                    });
                }
            }
        }
        for rule in self.known.opinions.keys() {
            without(format!("opinion {rule}"), &|s| drop(s.known.opinions.remove(rule)));
            without(format!("opinion {rule} failed"), &|s| {
                let failed = Opinion::Failed { reason: "late".to_owned() };
                s.known.opinions.insert(rule.clone(), failed);
            });
        }
        all
    }
}

fn any_scene() -> impl Strategy<Value = Scene> {
    let of = |texts: &'static [&'static str]| prop::sample::select(texts);
    let target =
        prop::sample::subsequence(vec![("t", "u"), ("team", "core"), ("repo", "acme/a/b")], 0..=3);
    let other = any::<bool>();
    let what =
        (of(&["a.apply", "b.read", "c.odd", "d.thing"]), of(&["x", "y", "z", "q"]), target, other)
            .prop_map(|(kind, environment, target, other)| {
                let value = |(key, value): (&str, &str)| {
                    let value = if other { "w" } else { value };
                    (key.to_owned(), value.to_owned())
                };
                (kind, environment, target.into_iter().map(value).collect::<BTreeMap<_, _>>())
            });
    let when = of(&[
        "2026-11-20T09:30:00Z",
        "2026-11-20T23:30:00Z",
        "2026-11-21T04:59:59Z",
        "2026-11-22T12:00:00Z",
        "2026-12-25T10:00:00Z",
    ]);
    let who = (
        of(&["alice", "bob", "oscar", "mallory"]),
        any::<bool>(),
        prop::sample::subsequence(vec!["g", "h"], 0..=1),
    );
    let json = |all: Vec<(&'static str, Vec<Value>)>| {
        let each: Vec<_> = all
            .into_iter()
            .map(|(key, values)| {
                (Just(key), prop::option::weighted(0.7, prop::sample::select(values)))
            })
            .collect();
        each.prop_map(|all| {
            let there = all.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
            there.collect::<Map<String, Value>>()
        })
    };
    let context = json(vec![
        ("break_glass", vec![json!(true), json!(false), json!("true")]),
        ("n", vec![json!(1), json!(5), json!(9), json!("5")]),
        ("list", vec![json!([1, "a"]), json!(["a"]), json!([]), json!([[1], {"a": 1}])]),
        ("since", vec![json!("2h"), json!("5m"), json!(7200)]),
        ("ticket", vec![json!("T-1")]),
    ]);
    let signals = json(vec![
        (
            "incident",
            vec![
                json!({"severity": "sev1"}),
                json!({"severity": "none"}),
                json!({}),
                json!("sev1"),
            ],
        ),
        ("count", vec![json!(1), json!(3), json!("3")]),
        ("people", vec![json!([{"level": 2}, {}]), json!([{"level": 0}]), json!([]), json!({})]),
    ]);
    let claims = json(vec![
        ("team", vec![json!("core"), json!("web")]),
        ("level", vec![json!(2), json!(3.5)]),
    ]);
    let ip = prop::option::of(of(&["10.1.2.3", "::ffff:10.1.2.3", "192.0.2.1", "2001:db8::1"]));
    let country = prop::option::of(of(&["DE", "US"]));
    let opinion = prop_oneof![
        2 => (any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(denies, warns, allows)| {
            let said = |says: bool| if says { vec!["so".to_owned()] } else { Vec::new() };
            Opinion::Answered { denies: said(denies), warns: said(warns), allows }
        }),
        3 => Just(Opinion::Answered { denies: Vec::new(), warns: Vec::new(), allows: true }),
        1 => Just(Opinion::Failed { reason: "late".to_owned() }),
    ];
    let opinions =
        prop::collection::btree_map((0usize..6).prop_map(|id| format!("r{id}")), opinion, 3..7);
    let suspended = prop::collection::btree_set((0usize..6).prop_map(|id| format!("r{id}")), 0..2);
    let known = (
        prop::option::weighted(0.8, any_plan()),
        signals,
        ip,
        country,
        opinions,
        suspended,
        any::<u8>(),
    );
    let rest = (claims, context, prop::option::of(any::<bool>()), prop::option::of(1u64..120));
    (what, when, who, known, rest).prop_map(|(what, now, who, known, rest)| {
        let (kind, environment, target) = what;
        let (claims, context, subject, minutes) = rest;
        let (plan, signals, ip, country, opinions, suspended, matter) = known;
        let concerns = concerns(matter);
        let intent = UnverifiedIntent {
            kind: kind.to_owned(),
            environment: environment.to_owned(),
            target,
            subject: subject.map(|_| Digest::of(b"plan")),
            context,
            reason: "because".to_owned(),
            duration: minutes.map(Span::minutes),
            ..UnverifiedIntent::default()
        };
        let (name, workload, groups) = who;
        let requester = Principal {
            id: PrincipalId::local(name).unwrap(),
            kind: if workload { PrincipalKind::Workload } else { PrincipalKind::Person },
            groups: groups.into_iter().map(str::to_owned).collect(),
            acts_for: BTreeSet::new(),
            claims,
        };
        let ip = ip.map(|ip| ip.parse::<IpAddr>().unwrap());
        let network = Network { ip, country: country.map(str::to_owned) };
        let known = Known { network, plan, signals, concerns, suspended, opinions };
        Scene { intent, requester, known, now: now.parse().unwrap() }
    })
}

fn any_plan() -> impl Strategy<Value = KnownPlan> {
    let maybe = || prop::option::of(any::<bool>());
    let change =
        (maybe(), maybe(), any::<bool>()).prop_map(|(tags_only, touches_iam, iam)| plan::Change {
            address: "a.b".to_owned(),
            type_name: if iam { "aws_iam_role" } else { "aws_instance" }.to_owned(),
            actions: vec![if iam { "delete" } else { "update" }.to_owned()],
            tags_only,
            touches_iam,
            ..plan::Change::default()
        });
    let changes = prop::option::of(prop::collection::vec(change, 0..3));
    (maybe(), maybe(), 0u64..3, 0u64..6, any::<bool>(), changes).prop_map(
        |(tags_only, touches_iam, deletes, change_count, iam, changes)| {
            let types = iam.then(|| "aws_iam_role".to_owned()).into_iter().collect();
            let facts = plan::Facts {
                deletes,
                change_count,
                types,
                tags_only,
                touches_iam,
                ..plan::Facts::default()
            };
            KnownPlan { digest: Digest::of(b"p"), facts, changes: changes.map(Arc::from) }
        },
    )
}

// How much is permitted.

fn narrower(less: &Terms, more: &Terms) -> bool {
    let audiences = match (&less.audiences, &more.audiences) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(few), Some(many)) => few.is_subset(many),
    };
    let word = |less: &Option<String>, more: &Option<String>| more.is_none() || less == more;
    audiences
        && less.max_ttl <= more.max_ttl
        && less.uses <= more.uses
        && less.grant_window <= more.grant_window
        && word(&less.role, &more.role)
        && word(&less.broker, &more.broker)
        && more.heartbeat.is_none_or(|more| less.heartbeat.is_some_and(|less| less <= more))
        && (more.dpop.is_none() || less.dpop.is_some())
}

/// Whether this stage asks at least what the other does: as many of no other people, signed in as
/// lately, and nobody else may step in.
fn asks_as_much(less: &Stage, more: &Stage) -> bool {
    let within = |less: Option<Span>, more: Option<Span>| match (less, more) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(less), Some(more)) => less <= more,
    };
    let steps_in = |stage: &Stage| {
        stage.escalate.iter().flat_map(|escalation| escalation.to.clone()).collect::<BTreeSet<_>>()
    };
    less.rules.is_superset(&more.rules)
        && less.approvals >= more.approvals
        && less.from.is_subset(&more.from)
        && less.exclude.is_superset(&more.exclude)
        && within(less.login_within, more.login_within)
        && more
            .signature
            .is_none_or(|more| less.signature.is_some_and(|less| less.and(more) == less))
        && within(less.expires_after, more.expires_after)
        && steps_in(less).is_subset(&steps_in(more))
}

/// Every stage of the one has a stage of its own in the other that asks as much.
fn requires_as_much(less: &Requirement, more: &Requirement) -> bool {
    let mut free: Vec<&Stage> = less.stages.iter().collect();
    let each = more.stages.iter().all(|stage| {
        let found = free.iter().position(|other| asks_as_much(other, stage));
        found.map(|at| free.remove(at)).is_some()
    });
    each && less.expires_after <= more.expires_after
}

/// Whether `less` permits no more than `more`. A refusal permits nothing; what asks people permits
/// less than what asks nobody; of two that ask people, the one permits less whose stages are more
/// and stricter, and whose terms are narrower.
///
/// Three things are no part of the order, because the language says so. Where no rule spoke at all, a
/// require that cannot be settled asks people: they decide then, and never absence. And `exists` is
/// how a document speaks of absence itself, so where it stands (`by_presence`) the limits that its
/// rule states may come and go with the attribute; who is asked may not. So it is, too, where a
/// require stands again because its waiver cannot be settled: it asks its people, under the limits
/// that it states.
fn permits_no_more(less: &Ruling, more: &Ruling, by_presence: bool) -> bool {
    let narrower = |less: &Terms, more: &Terms| by_presence || narrower(less, more);
    match (&less.outcome, &more.outcome) {
        (Outcome::Refuse(_), _) => true,
        (Outcome::Require(_), Outcome::Refuse(_)) => {
            more.rules.contains("default-deny") || (by_presence && is_contradiction(more))
        }
        (Outcome::Permit(_), Outcome::Refuse(_)) => by_presence && is_contradiction(more),
        (Outcome::Permit(_), Outcome::Require(_)) => false,
        (Outcome::Permit(less), Outcome::Permit(more)) => narrower(less, more),
        (Outcome::Require(less), Outcome::Permit(more)) => narrower(&less.terms, more),
        (Outcome::Require(less), Outcome::Require(more)) => {
            let stages = match by_presence {
                true => Requirement { expires_after: Span::ZERO, ..less.clone() },
                false => less.clone(),
            };
            requires_as_much(&stages, more) && narrower(&less.terms, &more.terms)
        }
    }
}

/// Two rules that name different roles or brokers: one of them may be one that speaks of presence.
fn is_contradiction(ruling: &Ruling) -> bool {
    ruling.rules.iter().all(|rule| rule.starts_with("contradiction:"))
}

fn bare(mut ruling: Ruling) -> Ruling {
    ruling.policy = Digest::of(b"");
    ruling
}

fn asks_for_presence(sketch: &Sketch) -> bool {
    sketch.rules.iter().flat_map(|rule| &rule.when).any(When::asks_for_presence)
}

/// What came of each: refusals by rule, requires, permits, by hand from what is explained.
fn by_explanation(told: &Explanation, sketch: &Sketch) -> (&'static str, BTreeSet<String>) {
    let mut refusing = BTreeSet::new();
    let (mut asking, mut permitting) = (BTreeSet::new(), BTreeSet::new());
    for account in &told.rules {
        let id = account.rule.clone();
        let warns_of_nobody = |warns: &Vec<String>| {
            let at: usize = id[1..].parse().unwrap();
            !warns.is_empty() && !matches!(&sketch.rules[at].does, Does::Ask { stages: true, .. })
        };
        match (account.effect, account.truth) {
            (_, Truth::False) => {}
            ("deny", Truth::Unknown) => drop(refusing.insert(format!("indeterminate:{id}"))),
            ("deny", Truth::True) if !account.waived => drop(refusing.insert(id)),
            ("require", _) if !account.waived => drop(asking.insert(id)),
            ("allow", Truth::True) if !account.suspended => drop(permitting.insert(id)),
            ("ask", _) => match &account.opinion {
                None | Some(Opinion::Failed { .. }) => drop(refusing.insert(format!("error:{id}"))),
                Some(Opinion::Answered { denies, warns, .. }) => {
                    if !denies.is_empty() || warns_of_nobody(warns) {
                        refusing.insert(id);
                    } else if !warns.is_empty() {
                        asking.insert(id);
                    }
                }
            },
            _ => {}
        }
    }
    match (refusing.is_empty(), asking.is_empty(), permitting.is_empty()) {
        (false, ..) => ("refuse", refusing),
        (true, true, true) => ("refuse", BTreeSet::from(["default-deny".to_owned()])),
        (true, true, false) => ("permit", permitting),
        (true, false, _) => ("require", &asking | &permitting),
    }
}

fn word(ruling: &Ruling) -> &'static str {
    match ruling.outcome {
        Outcome::Refuse(_) => "refuse",
        Outcome::Require(_) => "require",
        Outcome::Permit(_) => "permit",
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, max_global_rejects: 50 * CASES, ..Default::default() })]

    #[test]
    fn order_of_rules_documents_and_files_changes_no_ruling(
        sketch in any_sketch(), scenes in prop::collection::vec(any_scene(), 3), seed in any::<u64>(),
    ) {
        let one = sketch.compiled();
        let (mut rules, mut factors) = sketch.lines();
        let mut seed = seed;
        let mut below = |n: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) as usize % n
        };
        (1..rules.len()).rev().for_each(|at| rules.swap(at, below(at + 1)));
        (1..factors.len()).rev().for_each(|at| factors.swap(at, below(at + 1)));
        let mut files = in_files(&rules, &factors, below(rules.len() + 1), below(factors.len() + 1));
        (1..files.len()).rev().for_each(|at| files.swap(at, below(at + 1)));
        let other = compiled_from(&files);
        for scene in scenes {
            prop_assert_eq!(bare(scene.ruled(&one)), bare(scene.ruled(&other)));
            prop_assert_eq!(scene.explained(&one), scene.explained(&other));
            let asked = |policy: &Policy| scene.ask(|s| policy.asks(s).into_iter().map(|ask| ask.rule.clone()).collect::<Vec<_>>());
            let (one, other): (BTreeSet<_>, BTreeSet<_>) = (asked(&one).into_iter().collect(), asked(&other).into_iter().collect());
            prop_assert_eq!(one, other);
        }
    }

    #[test]
    fn adding_a_deny_never_permits_more(
        sketch in any_sketch(), when in prop::collection::vec(any_when(), 0..3), waivable in any::<bool>(), scene in any_scene(),
    ) {
        let mut stricter = sketch.clone();
        let does = if waivable { Does::WaivableDeny } else { Does::Deny };
        stricter.rules.push(Written { when, does });
        let (before, after) = (scene.ruled(&sketch.compiled()), scene.ruled(&stricter.compiled()));
        let refused = matches!(after.outcome, Outcome::Refuse(_));
        prop_assert!(refused || before.outcome == after.outcome, "{before:?}\n{after:?}");
        prop_assert!(refused || !matches!(before.outcome, Outcome::Refuse(_)), "{before:?}\n{after:?}");
    }

    #[test]
    fn adding_a_waiver_widens_only_what_it_names(
        sketch in any_sketch(), which in any::<prop::sample::Index>(), what in any::<prop::sample::Index>(), scene in any_scene(),
    ) {
        let allows: Vec<usize> = (0..sketch.rules.len()).filter(|at| matches!(sketch.rules[*at].does, Does::Allow { .. })).collect();
        let waivable: Vec<usize> = (0..sketch.rules.len().min(6)).filter(|at| sketch.rules[*at].may_be_waived()).collect();
        prop_assume!(!allows.is_empty() && !waivable.is_empty());
        let (by, named) = (*which.get(&allows), *what.get(&waivable));
        let mut wider = sketch.clone();
        if let Does::Allow { waives, .. } = &mut wider.rules[by].does {
            waives.insert(named);
        }
        let before = sketch.compiled();
        let told = scene.explained(&before);
        let account = |id: usize| told.rules.iter().find(|account| account.rule == format!("r{id}")).unwrap();
        let holds = account(by).truth == Truth::True && !account(by).suspended;
        let stands = matches!(sketch.rules[named].does, Does::WaivableDeny) && account(named).truth == Truth::Unknown;
        // With the waiver it is as if the rule that it names were not there, and nothing else.
        let mut without = sketch.clone();
        if holds && !stands {
            let never = When::All(vec![vec![When::Test(1)], vec![When::Not(vec![When::Test(1)])]]);
            without.rules[named].when = vec![never];
        }
        let (after, wanted) = (scene.ruled(&wider.compiled()), scene.ruled(&without.compiled()));
        prop_assert_eq!(bare(after), bare(wanted), "r{} waives r{}", by, named);
    }

    #[test]
    fn removing_an_attribute_never_permits_more(sketch in any_sketch(), scene in any_scene()) {
        let policy = sketch.compiled();
        let by_presence = asks_for_presence(&sketch);
        let told = scene.explained(&policy).rules.into_iter();
        let waived: Vec<_> = told.filter(|told| told.waived).map(|told| told.rule).collect();
        let all = scene.ruled(&policy);
        for (name, poorer) in scene.poorer() {
            let less = poorer.ruled(&policy);
            let stands_again = waived.iter().any(|rule| less.rules.contains(rule));
            prop_assert!(
                permits_no_more(&less, &all, by_presence || stands_again),
                "without {name}:\n{}\n{}\n{:#?}", said(&all), said(&less), sketch.lines()
            );
        }
    }

    #[test]
    fn an_opinion_never_permits_by_itself(sketch in any_sketch(), scene in any_scene()) {
        let policy = sketch.compiled();
        let asked: BTreeSet<String> =
            scene.ask(|situation| policy.asks(situation).iter().map(|ask| ask.rule.clone()).collect());
        // One answer less refuses if it was asked for, and else changes nothing.
        for rule in scene.known.opinions.keys() {
            let mut failed = scene.clone();
            failed.known.opinions.insert(rule.clone(), Opinion::Failed { reason: "late".to_owned() });
            let mut missing = scene.clone();
            missing.known.opinions.remove(rule);
            for less in [failed, missing] {
                let (less, all) = (less.ruled(&policy), scene.ruled(&policy));
                match asked.contains(rule) {
                    true => prop_assert!(less.rules.contains(&format!("error:{rule}")), "{less:?}"),
                    false => prop_assert_eq!(less, all),
                }
            }
        }
        // And where no allow of the documents speaks, nothing any engine says permits.
        let mut alone = sketch.clone();
        alone.rules.retain(|rule| !matches!(rule.does, Does::Allow { .. }));
        prop_assert_ne!(word(&scene.ruled(&alone.compiled())), "permit");
    }

    #[test]
    fn what_is_explained_is_what_is_ruled(sketch in any_sketch(), scene in any_scene()) {
        let policy = sketch.compiled();
        let (ruling, told) = (scene.ruled(&policy), scene.explained(&policy));
        prop_assert_eq!(told.rules.len(), sketch.rules.len());
        prop_assert_eq!(told.risk.as_ref().map(|risk| risk.score), ruling.risk);
        for account in &told.rules {
            let together = account.conditions.iter().fold(Truth::True, |all, one| all.and(one.truth));
            prop_assert_eq!(together, account.truth, "{:?}", account);
        }
        let (outcome, rules) = by_explanation(&told, &sketch);
        let late = ruling.rules.iter().any(|rule| rule.starts_with("contradiction:"))
            || matches!(&ruling.outcome, Outcome::Refuse(reasons) if reasons.iter().all(|r| r.message.starts_with("nobody owns")));
        // A contradiction of those that grant, and a target that nobody owns, are found last.
        prop_assert!(!late || outcome != "refuse", "{ruling:?}");
        if !late {
            prop_assert_eq!((word(&ruling), &ruling.rules), (outcome, &rules));
        }
    }

    #[test]
    fn what_the_index_skips_must_be_false(sketch in any_sketch(), scene in any_scene()) {
        let policy = sketch.compiled();
        let met: BTreeSet<String> = scene.ask(|situation| {
            policy.candidates(situation.intent).map(|rule| rule.id.clone()).collect()
        });
        for account in scene.explained(&policy).rules {
            prop_assert!(account.truth == Truth::False || met.contains(&account.rule), "{account:?}");
        }
    }
}

/// How many policies each property looks at; more where somebody has the time.
const CASES: u32 = match option_env!("ASSENT_CASES") {
    Some(_) => 10_000,
    None => 200,
};

/// Anything but a suspension, which no rule has to speak of.
fn concerns(matter: u8) -> Concerns {
    let some = |bit: u8, concern| (matter & bit != 0).then_some(concern);
    Concerns {
        requester: some(1, Concern::Risky).into_iter().chain(some(2, Concern::Flagged)).collect(),
        environment: some(4, Concern::Incident).into_iter().collect(),
    }
}
