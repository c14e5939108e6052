#include <algorithm>
#include <filesystem>
#include <memory>

#include <fmt/core.h>

#include "cli/common.h"
#include "cli/follow_note.h"
#include "cli/import_file.h"
#include "cli/json_view.h"
#include "cli/output/text.h"
#include "cli/show_plan.h"
#include "cli/verbs.h"
#include "cli/watch_deployment.h"
#include "core/crypto/sha256.h"

namespace berth::cli {
namespace {

constexpr milliseconds kNotWaiting{10'000};
constexpr const char* kNoKey = "\n";  ///< what --key is before it is said: an empty one would be a script's unset variable

struct DeployOptions {
  std::string release, environment, until = "active", timeout = "1h", reason, key = kNoKey;
  bool force = false, no_wait = false, allow_expired = false, plan = false;
};

/// Of this invocation, whose request begins one deployment however often it comes to berthd.
std::string key_of_its_own() { return "cli-" + crypto::sha256_hex(crypto::random_bytes(16)).substr(0, 32); }

/// What is named, or what is in the file that is named, which berthd loads first.
Result<ReleaseRef> release_to_deploy(const Console& console, const DeployOptions& options) {
  std::error_code ignored;
  if (!is_release_file(options.release)) {
    if (!is_name(options.release) && options.release.find('@') == std::string::npos && std::filesystem::is_regular_file(options.release, ignored))
      return fail(Errc::usage, fmt::format("berth deploy: {0} is a file; a release is APP@RELEASE, and a release file that 'berth export' made and is called so is ./{0}", options.release));
    return release_argument(options.release, "deploy");
  }
  BERTH_TRY(const auto imported, import_file(console, {.file = options.release, .reason = options.reason, .allow_expired = options.allow_expired}));
  if (!imported) return fail(Errc::timeout, fmt::format("{} is not loaded yet, and nothing is deployed", options.release));
  return ReleaseRef{.app = text_of(*imported, "app"), .environment = {}, .release = text_of(*imported, "release")};
}

/// Where the app follows something else, that is not the end of it.
void tell_of_follow(const Console& console, const ApiClient& api, const ReleaseRef& ref) {
  if (console.json || console.quiet) return;
  const auto status = api.get("/v1/status");
  if (const std::string note = status ? follow_note(*status, ref.app, ref.release) : std::string(); !note.empty()) console.note("Note: " + printable(note));
}

Result<void> check_plan_options(const DeployOptions& options) {
  if (!options.plan) return {};
  if (is_release_file(options.release))
    return fail(Errc::usage, "berth deploy: --plan loads no release file: 'berth import FILE' does, and then its release can be planned");
  if (options.no_wait || options.key != kNoKey) return fail(Errc::usage, "berth deploy: --plan begins nothing: it goes without --no-wait and --key");
  return {};
}

Result<Exit> deploy(const Console& console, const DeployOptions& options) {
  BERTH_CHECK(check_plan_options(options));
  if (options.allow_expired && !is_release_file(options.release))
    return fail(Errc::usage, "berth deploy: --allow-expired is for release files; a repository's metadata has to be signed anew");
  BERTH_TRY(const auto ref, release_to_deploy(console, options));
  if (options.until != "active" && options.until != "switched")
    return fail(Errc::usage, fmt::format("--until: '{}' is neither 'switched' nor 'active'", options.until));
  BERTH_TRY(const auto at_most, duration_argument(options.timeout, "--timeout"));
  std::string environment = options.environment;
  if (!ref.environment.empty()) {
    if (!environment.empty() && environment != ref.environment)
      return fail(Errc::usage, fmt::format("{} and --env {} name two environments", options.release, environment));
    environment = ref.environment;
  }

  ApiCall call{.method = "POST", .target = app_target(ref.app, "/deployments")};
  call.body = {{"release", ref.release}, {"force", options.force}};
  put_if(call.body, "environment", environment);
  if (options.plan) {
    call.target = app_target(ref.app, "/plan");
    return show_plan(console, std::move(call));
  }
  put_if(call.body, "reason", options.reason);
  if (options.key != kNoKey) {
    if (options.key.empty()) return fail(Errc::usage, "--key: it is empty; give the request a name of its own, or leave --key out");
    call.headers["idempotency-key"] = options.key;
  } else {
    call.headers["idempotency-key"] = key_of_its_own();
  }
  call.deadline = first_call_deadline(options.no_wait ? std::min(at_most.value_or(kNotWaiting), kNotWaiting) : at_most);

  const ApiClient api(console);
  BERTH_TRY(const auto answer, api.call(call));
  const Deployment deployment = read_deployment(answer.body);
  if (deployment.already || deployment.ended()) {
    const Exit exit = conclude(console, answer.body);
    if (exit == Exit::ok) tell_of_follow(console, api, ref);
    return exit;
  }
  if (options.no_wait) {
    if (console.json) console.document(answer.body);
    console.note(fmt::format("{}: deployment {} is {}; see: berth status {}", deployment.name(), deployment.id, deployment.state, ref.app));
    return Exit::ok;
  }
  const auto ended = watch_deployment(console, api, deployment, {.until_switched = options.until == "switched", .at_most = at_most});
  if (ended && *ended == Exit::ok) tell_of_follow(console, api, ref);
  return ended;
}

}  // namespace

Verb deploy_verb() {
  auto o = std::make_shared<DeployOptions>();
  return {
      .name = "deploy",
      .summary = "Make a release the active one on this node",
      .text = "berthd fetches, verifies, unpacks and starts the release, switches to it when it is ready, and reverts it when there is trouble "
              "before the bake is over. The command returns when the release is active; Ctrl-C leaves the deployment running, or cancels it: at a terminal it asks, until the switch. "
              "A release that is on the node already is taken without the network, unless another one is known to be listed under its id, which ends with 4.",
      .examples = {"berth deploy web@v42", "berth deploy ./web-v42.berth # from a file that 'berth export' made; needs no network", "berth deploy web@v42 --until switched --timeout 2m # do not wait for the bake",
                   "berth deploy web@v42 --plan # what would happen; changes nothing",
                   "berth deploy web@v42 --force --reason 'fixed the database' # deploy a rejected release again"},
      .exits = with_daemon_exits({Exit::failed, Exit::not_found, Exit::trust, Exit::reverted, Exit::conflict, Exit::still_running}),
      .arguments = {{"APP@RELEASE|FILE", "what to deploy; web/production@v42 asserts the environment too; a release file is loaded first", &o->release, Completes::release}},
      .options = {{"-e,--env", "NAME", "only if this is the node's environment", &o->environment, Completes::environment},
                  {"--plan", "", "show what would happen, and end with what it would be refused with; changes nothing", &o->plan},
                  {"--force", "", "also a rejected release, or an app that is held", &o->force},
                  allow_expired_option(o->allow_expired),
                  {"--until", "WHEN", "return when 'switched' or, after the bake, 'active' (default)", &o->until, Completes::nothing, "switched active"},
                  {"--no-wait", "", "return at once", &o->no_wait},
                  {"--timeout", "DURATION", "how long to wait (default 1h); the deployment goes on", &o->timeout},
                  reason_option(o->reason),
                  {"--key", "TEXT", "idempotency key: the same key again names the same deployment", &o->key}},
      .action = [o](Console& console) { return deploy(console, *o); },
      .deploys = true,
      .exit_texts = {{"130", "interrupted; the deployment goes on"}},
  };
}

}  // namespace berth::cli
