#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <fmt/core.h>

#include <fmt/core.h>

#include "cli/common.h"
#include "cli/json_view.h"
#include "cli/output/text.h"
#include "cli/verbs.h"

namespace berth::cli {
namespace {

/// Since when the node is drained, by whom and why, where the call changed nothing of it; empty where it did, or an older berthd does not say.
std::string drained_before(const ApiClient& api, const json::value& answer) {
  const auto* changed = member(answer, "changed");
  if (changed == nullptr || !changed->is_bool() || changed->get_bool()) return {};
  const auto status = api.get("/v1/status");
  const auto* drained = status ? member(*status, "drained") : nullptr;
  if (drained == nullptr || !drained->is_object()) return {};
  const std::string by = text_of(*drained, "by"), why = text_of(*drained, "why");
  return fmt::format("The node is drained already{}, {} ago{}{}.", by.empty() ? "" : ", by " + by, since_text(text_of(*drained, "at"), std::chrono::system_clock::now()), why.empty() ? "" : ": ", why);
}

/// One that cannot be asked is taken for one that is: whoever asks for a change hears then why.
bool is_drained(const ApiClient& api) {
  const auto status = api.get("/v1/status");
  const auto* drained = status ? member(*status, "drained") : nullptr;
  return !status || (drained != nullptr && drained->is_object());
}

struct NodeOptions {
  std::string reason, timeout;
  bool yes = false;
};

/// Asks at a terminal before all apps are stopped. Nothing to ask where they are.
Result<void> confirm_drain(const Console& console, const ApiClient& api) {
  if (!can_ask()) return {};
  const auto status = api.get("/v1/status");
  const auto* drained = status ? member(*status, "drained") : nullptr;
  if (!status || (drained != nullptr && drained->is_object())) return {};
  std::size_t running = 0;
  for (const auto& app : list_of(*status, "apps")) running += truth_of(app, "stopped") || text_of(app, "active").empty() ? 0 : 1;
  const std::string node = text_of(*status, "node");
  const std::string question = fmt::format("This stops {} of {}, and no deployment is taken until 'berth node resume'. Type {} to go on: ",
                                           running == 1 ? "the one app" : fmt::format("the {} apps", running), node, node);
  if (running > 0 && !asks_for(console, question, node)) return fail(Errc::cancelled, "nothing was stopped");
  return {};
}

Verb node_operation(const std::string& name, std::string summary, std::string text, std::vector<std::string> examples, const std::string& done) {
  auto o = std::make_shared<NodeOptions>();
  std::vector<Option> options{reason_option(o->reason)};
  if (name == "drain") options.insert(options.begin(), Option{.names = "-y,--yes", .value = "", .help = "do not ask first", .into = &o->yes});
  if (name == "drain") options.push_back(timeout_option(o->timeout));
  return {
      .name = name,
      .summary = std::move(summary),
      .text = std::move(text),
      .examples = std::move(examples),
      .exits = with_daemon_exits({Exit::failed, Exit::conflict, Exit::still_running}),
      .options = std::move(options),
      .action = [o, name, done](Console& console) -> Result<Exit> {
        json::object body;
        put_if(body, "reason", o->reason);
        const ApiClient api(console);
        if (name == "drain" && !o->yes) BERTH_CHECK(confirm_drain(console, api));
        const bool was_at_work = name == "resume" && !is_drained(api);
        BERTH_TRY(const auto answer, long_call(console, {.method = "POST", .target = "/v1/node/" + name, .body = std::move(body)}, o->timeout));
        if (!answer) return Exit::still_running;
        if (console.json) console.document(*answer);
        const std::string before = name == "drain" && !console.quiet && !console.json ? drained_before(api, *answer) : std::string();
        console.note(was_at_work ? "The node was not drained: it is at work already." : before.empty() ? done : printable(before));
        return Exit::ok;
      },
  };
}

/// Has berthd read its configuration again.
Verb node_reload_verb() {
  auto reason = std::make_shared<std::string>();
  return {
      .name = "reload",
      .summary = "Have berthd read its configuration again",
      .text = "berthd.toml and conf.d are read as 'systemctl reload berthd' has them read, and no app is touched. Where they are wrong it says file, line and column, and what was before counts still. What "
              "counts after a restart of berthd is named.",
      .examples = {"berth node reload --reason 'a new webhook'", "berth node reload --node edge-1"},
      .exits = with_daemon_exits({Exit::failed, Exit::conflict}),
      .options = {reason_option(*reason)},
      .action = [reason](Console& console) -> Result<Exit> {
        json::object body;
        put_if(body, "reason", *reason);
        BERTH_TRY(const auto answer, ApiClient(console).post("/v1/reload", std::move(body)));
        if (console.json) console.document(answer);
        std::string later;
        for (const auto& table : list_of(answer, "until_restart"))
          if (table.is_string()) later += (later.empty() ? "" : ", ") + std::string(table.get_string());
        if (later.empty()) console.note("The configuration was read again, and counts.");
        else console.warn(fmt::format("the configuration was read again; what changed in {} counts after a restart ('systemctl restart berthd'), which stops no app",
                                      printable(later)));
        return Exit::ok;
      },
  };
}

}  // namespace

Verb node_verb() {
  Verb root{.name = "node",
            .summary = "Set up a new node, empty it of apps, put it back to work, or have its configuration read again",
            .examples = {"berth node enrol --repo https://releases.example.org/berth --root ./1.root.json", "berth node drain --reason 'a new kernel'", "berth node resume", "berth node reload"}};
  root.verbs.push_back(node_enrol_verb());
  root.verbs.push_back(node_csr_verb());
  root.verbs.push_back(node_operation("drain", "Stop all apps in order, and take no deployment until 'berth node resume'",
                                      "Apps are stopped in the reverse of the order in which berthd starts them, which is by priority and 'after' of their [deploy], then by name: each is taken out of its route and drained, and its deployments end before. It "
                                      "holds over restarts of berthd and of the machine. At a terminal it asks first. An app that was stopped before stays stopped afterwards, too.",
                                      {"berth node drain --reason 'a new kernel'"}, "The node is drained: no app runs, and no deployment is taken until 'berth node resume'."));
  root.verbs.push_back(node_operation("resume", "Start the apps of a node that was drained, and take deployments again", "", {"berth node resume"},
                                      "The node is at work again."));
  root.verbs.push_back(node_reload_verb());
  return root;
}

}  // namespace berth::cli
