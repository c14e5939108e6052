#include <memory>

#include "cli/common.h"
#include "cli/json_view.h"
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

}  // namespace

Verb node_verb() {
  Verb root{.name = "node",
            .summary = "Set up a new node, empty this node of apps, or put it back to work",
            .examples = {"berth node enrol --repo https://releases.example.org/berth --root ./1.root.json", "berth node drain --reason 'a new kernel'", "berth node resume"}};
  root.verbs.push_back(node_enrol_verb());
  root.verbs.push_back(node_csr_verb());
  root.verbs.push_back(node_operation("drain", "Stop all apps in order, and take no deployment until 'berth node resume'",
                                      "Apps are stopped in the reverse of the order in which berthd starts them, which is by priority and 'after' of their [deploy], then by name: each is taken out of its route and drained, and its deployments end before. It "
                                      "holds over restarts of berthd and of the machine. An app that was stopped before stays stopped afterwards, too.",
                                      {"berth node drain --reason 'a new kernel'"}, "The node is drained: no app runs, and no deployment is taken until 'berth node resume'."));
  root.verbs.push_back(node_operation("resume", "Start the apps of a node that was drained, and take deployments again", "", {"berth node resume"},
                                      "The node is at work again."));
  return root;
}

}  // namespace berth::cli
