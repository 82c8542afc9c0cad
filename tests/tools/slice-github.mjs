// Cuts GitHub's OpenAPI description down to the paths that Assent calls, and repairs what keeps Prism
// from checking them: `node slice-github.mjs DESCRIPTION OUTPUT`.
import { readFileSync, writeFileSync } from "node:fs";

const repository = [
  "",
  "/installation",
  "/actions/runs",
  "/actions/runs/{run_id}",
  "/actions/runs/{run_id}/pending_deployments",
  "/actions/runs/{run_id}/deployment_protection_rule",
  "/actions/runs/{run_id}/approvals",
  "/check-runs",
  "/check-runs/{check_run_id}",
  "/statuses/{sha}",
  "/deployments",
  "/deployments/{deployment_id}/statuses",
  "/environments",
  "/environments/{environment_name}",
  "/environments/{environment_name}/deployment-branch-policies",
  "/environments/{environment_name}/deployment_protection_rules",
  "/commits",
  "/commits/{ref}",
  "/commits/{commit_sha}/pulls",
  "/pulls/{pull_number}",
  "/pulls/{pull_number}/commits",
  "/compare/{basehead}",
  "/contents/{path}",
].map((path) => `/repos/{owner}/{repo}${path}`);
const others = [
  "/app",
  "/app/hook/deliveries",
  "/app/installations",
  "/app/installations/{installation_id}",
  "/app/installations/{installation_id}/access_tokens",
  "/installation/repositories",
  "/orgs/{org}/teams/{team_slug}",
  "/orgs/{org}/teams/{team_slug}/members",
  "/orgs/{org}/teams/{team_slug}/memberships/{username}",
  "/orgs/{org}/installation",
  "/users/{username}/installation",
  "/rate_limit",
  "/meta",
];

const [, , description, output] = process.argv;
const whole = JSON.parse(readFileSync(description, "utf8"));
const paths = {};
for (const path of [...repository, ...others]) {
  if (!whole.paths[path]) throw new Error(`GitHub's description has no ${path}`);
  paths[path] = whole.paths[path];
}

const each = (value, visit) => {
  if (value === null || typeof value !== "object") return;
  if (!Array.isArray(value)) visit(value);
  for (const inner of Object.values(value)) each(inner, visit);
};

// Everything that is referred to, and what that refers to.
const components = {};
const take = (value) =>
  each(value, (object) => {
    if (typeof object.$ref !== "string") return;
    const [hash, top, section, name, ...more] = object.$ref
      .split("/")
      .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
    if (hash !== "#" || top !== "components" || more.length || !name) {
      throw new Error(`an unexpected reference: ${object.$ref}`);
    }
    components[section] ??= {};
    if (components[section][name]) return;
    components[section][name] = whole.components[section][name];
    take(components[section][name]);
  });
take(paths);

// GitHub answers its own media types with what is described as application/json.
const answers = (response) => {
  const json = response.content?.["application/json"];
  if (!json) return;
  response.content["application/vnd.github+json"] = json;
  response.content["application/vnd.github.v3+json"] = json;
};
for (const response of Object.values(components.responses ?? {})) answers(response);

// Open request bodies would let anything through.
const close = (schema) =>
  each(schema, (object) => {
    if (object.properties && object.additionalProperties === undefined) {
      object.additionalProperties = false;
    }
  });
for (const path of Object.values(paths)) {
  for (const operation of Object.values(path)) {
    if (!operation.responses) continue;
    for (const response of Object.values(operation.responses)) answers(response);
    close(operation.requestBody);
  }
}
for (const name of ["review-custom-gates-comment-required", "review-custom-gates-state-required"]) {
  close(components.schemas[name]);
}

// `nullable` without a type makes Prism skip the whole schema in silence: null is an alternative then.
const nothing = () => ({ type: "string", nullable: true, enum: [null] });
each({ paths, components }, (object) => {
  if (object.nullable !== true || object.type !== undefined) return;
  delete object.nullable;
  const choices = object.oneOf ?? object.anyOf;
  if (choices) choices.push(nothing());
  else if (object.allOf) {
    object.anyOf = [{ allOf: object.allOf }, nothing()];
    delete object.allOf;
  } else throw new Error(`what may be null is described in another way: ${JSON.stringify(object)}`);
});

// In this one list an account would have to be a person and an enterprise at once.
const listed = paths["/app/installations"].get.responses["200"].content;
for (const schema of new Set(Object.values(listed).map((content) => content.schema))) {
  if (schema.items.properties.account.anyOf?.[0].allOf?.length !== 2) {
    throw new Error("the account of a listed installation is described in another way");
  }
  schema.items.properties.account = components.schemas.installation.properties.account;
}

const { openapi, info, servers } = whole;
writeFileSync(output, JSON.stringify({ openapi, info, servers, paths, components }));
