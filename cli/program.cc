#include <cstdlib>
#include <string_view>
#include <utility>

#include "cli/completion.h"
#include "cli/verbs.h"

namespace berth::cli {

namespace {

/// Which verbs are for a berthd, and how.
constexpr std::pair<std::string_view, Remotely> kRemotely[] = {
    {"apps", Remotely::reads},         {"status", Remotely::reads},      {"history", Remotely::reads},      {"events", Remotely::reads}, {"why", Remotely::reads},   {"releases", Remotely::reads},
    {"deploy", Remotely::changes},     {"revert", Remotely::changes},    {"hold", Remotely::changes},       {"resume", Remotely::changes}, {"mark", Remotely::changes},
    {"node drain", Remotely::changes}, {"node resume", Remotely::changes}, {"remove", Remotely::changes},   {"run-job", Remotely::changes}, {"restart", Remotely::changes},
    {"stop", Remotely::changes},       {"start", Remotely::changes},     {"scale", Remotely::changes},      {"pin", Remotely::changes},    {"unpin", Remotely::changes},
    {"cancel", Remotely::changes},     {"gc", Remotely::changes},        {"verify", Remotely::changes},     {"logs", Remotely::reads},
    {"exec", Remotely::on_node_only},  {"import", Remotely::on_node_only}};

void say_remotely(Verb& verb, const std::string& called) {
  for (const auto& [name, remotely] : kRemotely)
    if (name == called) verb.remotely = remotely;
  for (Verb& below : verb.verbs) say_remotely(below, called + " " + below.name);
}

}  // namespace

Verb berth_program(Console& console) {
  const char* socket = std::getenv("BERTH_SOCKET");
  console.socket = socket != nullptr && *socket != '\0' ? socket : "/run/berth/api.sock";
  Verb root{
      .name = "berth",
      .summary = "Run releases of apps on this node",
      .text = "A folder becomes a build; a build and an environment's configuration become a signed release; berthd on a node deploys it, watches it, "
              "and reverts it when it fails. 'berth help VERB' tells more of a verb, 'berth --version' tells the version, 'berth --man' prints the man page.",
      .examples = {"berth build ./site", "berth release web --env production --repo ./repo", "berth deploy web@v1", "berth status", "berth logs web -f"},
      .options = {{"-q,--quiet", "", "errors only, and what was asked for", &console.quiet},
                  {"--json", "", "print JSON, errors included", &console.json},
                  {"--socket", "PATH", "berthd's socket ($BERTH_SOCKET; default /run/berth/api.sock)", &console.socket, Completes::file},
                  {"--node", "NODE", "another node's berthd ($BERTH_NODE): a name of nodes.toml, or HOST[:PORT]; several times for several", &console.nodes}},
  };
  for (Verb (*verb)() : {&new_verb, &run_verb, &repo_verb, &build_verb, &builds_verb, &release_verb, &promote_verb, &channel_verb, &inspect_verb, &diff_verb, &releases_verb, &apps_verb, &deploy_verb, &status_verb,
                         &logs_verb, &why_verb, &history_verb, &events_verb, &revert_verb, &hold_verb, &resume_verb, &mark_verb, &node_verb, &remove_verb, &exec_verb, &run_job_verb, &restart_verb, &stop_verb, &start_verb,
                         &scale_verb, &pin_verb, &unpin_verb, &cancel_verb, &gc_verb, &verify_verb, &export_verb, &import_verb, &doctor_verb, &ca_verb, &completion_verb, &complete_verb})
    root.verbs.push_back(verb());
  for (Verb& verb : root.verbs) say_remotely(verb, verb.name);
  return root;
}

}  // namespace berth::cli
