#include <memory>

#include <fmt/core.h>

#include "cli/common.h"
#include "cli/json_view.h"
#include "cli/output/text.h"
#include "cli/verbs.h"

namespace berth::cli {
namespace {

/// One that cannot be asked is taken for one that is: whoever asks for a change hears then why.
bool is_drained(const ApiClient& api) {
  const auto status = api.get("/v1/status");
  const auto* drained = status ? member(*status, "drained") : nullptr;
  return !status || (drained != nullptr && drained->is_object());
}

Verb node_operation(const std::string& name, std::string summary, std::string text, std::vector<std::string> examples, const std::string& done) {
  auto reason = std::make_shared<std::string>();
  return {
      .name = name,
      .summary = std::move(summary),
      .text = std::move(text),
      .examples = std::move(examples),
      .exits = with_daemon_exits({Exit::failed, Exit::conflict}),
      .options = {reason_option(*reason)},
      .action = [reason, name, done](Console& console) -> Result<Exit> {
        json::object body;
        put_if(body, "reason", *reason);
        const ApiClient api(console);
        const bool was_at_work = name == "resume" && !is_drained(api);
        BERTH_TRY(const auto answer, api.post("/v1/node/" + name, std::move(body), kLongCall));
        if (console.json) console.document(answer);
        console.note(was_at_work ? "The node was not drained: it is at work already." : done);
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
        console.note("The configuration was read again, and counts.");
        if (!later.empty()) console.warn(fmt::format("what changed in {} counts after a restart ('systemctl restart berthd'), which stops no app", printable(later)));
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
                                      "holds over restarts of berthd and of the machine. An app that was stopped before stays stopped afterwards, too.",
                                      {"berth node drain --reason 'a new kernel'"}, "The node is drained: no app runs, and no deployment is taken until 'berth node resume'."));
  root.verbs.push_back(node_operation("resume", "Start the apps of a node that was drained, and take deployments again", "", {"berth node resume"},
                                      "The node is at work again."));
  root.verbs.push_back(node_reload_verb());
  return root;
}

}  // namespace berth::cli
