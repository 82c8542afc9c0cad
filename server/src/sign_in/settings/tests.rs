//! What a file of sign-in says, and what is a mistake in it.

use super::*;

const GOOD: &str = "
apiVersion: assent/v1
kind: SignIn
providers:
  corp:
    type: oidc
    title: Example Corp
    issuer: https://id.example.com
    client_id: assent
    client_secret_env: CORP
    groups: {claim: groups, of: [release-managers, platform]}
  github:
    type: github
    client_id: Iv1.0123456789abcdef
    client_secret_env: CORP
    organizations: [acme]
administrators: ['group:platform', 'person:https://id.example.com#4711']
readers: asked
auditors: ['group:listed', 'person:https://id.example.com#17']
";

fn read(text: &str) -> Result<SignIn, String> {
    let variable = |name: &str| (name == "CORP").then(|| Secret::new("canary".to_owned()));
    let read = SignIn::of_text(Path::new("sign-in.yaml"), text, &variable);
    read.map_err(|error| error.to_string())
}

#[test]
fn a_file_of_sign_in_is_read() {
    let sign_in = read(GOOD).unwrap();
    let all: Vec<_> = sign_in.providers().map(|(name, one)| (name, one.issuer())).collect();
    assert_eq!(all, [("corp", "https://id.example.com"), ("github", "https://github.com")]);
    assert!(!format!("{sign_in:?}").contains("canary"));
    let who = |iss: &str, sub: &str| assent_core::principal::PrincipalId::new(iss, sub).unwrap();
    let groups = |name: &str| BTreeSet::from([name.to_owned()]);
    let corp = "https://id.example.com";
    assert!(sign_in.is_administrator(&who(corp, "4711"), &BTreeSet::new()));
    assert!(sign_in.is_administrator(&who(corp, "1"), &groups("platform")));
    assert!(!sign_in.is_administrator(&who(corp, "1"), &groups("release-managers")));
    assert!(!sign_in.is_administrator(&who("https://github.com", "4711"), &BTreeSet::new()));
    assert_eq!(sign_in.readers(), Readers::Asked);
    let auditors: Vec<_> = sign_in.auditors().map(ToString::to_string).collect();
    assert_eq!(auditors, ["group:listed", "person:https://id.example.com#17"]);
    assert_eq!(read(&GOOD.replace("readers: asked\n", "")).unwrap().readers(), Readers::Everyone);
}

#[test]
fn what_is_not_meant_is_told_with_its_place() {
    for (from, to, wanted) in [
        ("assent/v1", "assent/v2", "apiVersion"),
        ("kind: SignIn", "kind: Policy", "kind"),
        ("  corp:", "  Corp:", "`providers.Corp`: name a provider"),
        ("  corp:", "  again:", "`providers.again`: name a provider"),
        ("  corp:", "  passkey:", "`providers.passkey`: name a provider"),
        ("type: oidc", "type: saml", "saml"),
        ("title: Example Corp", "colour: red", "colour"),
        ("title: Example Corp", "title: ''", "title"),
        ("https://id.example.com\n", "http://id.example.com\n", "issuer`: https"),
        ("https://id.example.com\n", "https://id.example.com?x\n", "issuer"),
        ("client_id: assent", "client_id: ''", "client_id"),
        (
            "client_secret_env: CORP\n    groups",
            "client_secret: canary\n    groups",
            "client_secret",
        ),
        ("client_secret_env: CORP\n    groups", "groups", "client_secret_file"),
        (
            "client_secret_env: CORP\n    groups",
            "client_secret_env: NO\n    groups",
            "`NO` is not set",
        ),
        ("of: [release-managers, platform]", "of: []", "groups"),
        ("claim: groups", "claim: ''", "groups"),
        ("organizations: [acme]", "organizations: []", "organizations"),
        ("organizations: [acme]", "organizations: ['a/b']", "organizations"),
        ("organizations: [acme]", "anyone: false", "organizations"),
        ("    organizations: [acme]\n", "", "say `anyone: true`"),
        ("organizations: [acme]", "organizations: [acme]\n    anyone: true", "organizations"),
        ("group:platform", "group:owners", "no provider vouches for `group:owners`"),
        ("person:https://id.example.com#4711", "person:root", "no provider vouches"),
        ("person:https://id.example.com#4711", "root", "names nobody"),
        ("readers: asked", "readers: nobody", "readers"),
        ("group:listed", "group:", "auditors"),
        ("person:https://id.example.com#17", "person:root", "`auditors`: no provider vouches"),
    ] {
        assert!(GOOD.contains(from), "{from}");
        let told = read(&GOOD.replace(from, to)).unwrap_err();
        assert!(told.contains(wanted) && !told.contains("canary"), "{to}: {told}");
    }
    let twice = GOOD.replace("type: github\n", "type: github\n    url: https://id.example.com\n");
    assert!(read(&twice).unwrap_err().contains("two are of"));
    assert!(read("apiVersion: assent/v1\nkind: SignIn\nproviders: {}\n").is_err());
}
