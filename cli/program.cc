#include <string>

#include "cli/completion.h"
#include "cli/verbs.h"

namespace berth::cli {

namespace {

void say_remotely(Verb& verb, const std::string& called) {
  verb.remotely = remotely_of(called);
  for (Verb& below : verb.verbs) say_remotely(below, called + " " + below.name);
}

}  // namespace

Verb berth_program(Console& console) {
  console.socket = usual_socket();
  Verb root{
      .name = "berth",
      .summary = "Run releases of apps on this node",
      .text = "A folder becomes a build; a build and an environment's configuration become a signed release; berthd on a node deploys it, watches it, "
              "and reverts it when it fails. 'berth VERB --help' shows a verb on a screen, 'berth help VERB' tells all of it; 'berth --version' tells the version, 'berth --man' prints the man page.",
      .examples = {"berth build ./site", "berth release web --env production --repo ./repo", "berth deploy web@v1", "berth status", "berth logs web -f"},
      .options = {{"-q,--quiet", "", "errors only, and what was asked for", &console.quiet},
                  {"-v,--verbose", "", "also what was asked of whom, what came of it, and how long it took; on stderr", &console.verbose},
                  {"--json", "", "print JSON, errors included", &console.json},
                  {"--no-color", "", "no colours, also on a terminal ($NO_COLOR)", &console.no_colour},
                  {.names = "--socket", .value = "PATH", .help = "berthd's socket ($BERTH_SOCKET; default /run/berth/api.sock)", .into = &console.said_socket, .completes = Completes::file, .asks = Asks::here},
                  {.names = "--node", .value = "NODE", .help = "another node's berthd ($BERTH_NODE): a name or group of nodes.toml or a host, perhaps with :PORT; several times for several", .into = &console.nodes, .completes = Completes::node, .asks = Asks::elsewhere},
                  {.names = "--parallel", .value = "N", .help = "of several nodes, how many are asked at once (default: 8, or one after the other where something is changed)", .into = &console.parallel, .rare = true, .asks = Asks::elsewhere}},
  };
  for (Verb (*verb)() : {&new_verb, &run_verb, &repo_verb, &build_verb, &builds_verb, &release_verb, &promote_verb, &channel_verb, &inspect_verb, &diff_verb, &releases_verb, &apps_verb, &deploy_verb, &status_verb,
                         &logs_verb, &why_verb, &history_verb, &events_verb, &revert_verb, &hold_verb, &resume_verb, &mark_verb, &node_verb, &remove_verb, &exec_verb, &run_job_verb, &restart_verb, &stop_verb, &start_verb,
                         &scale_verb, &pin_verb, &unpin_verb, &cancel_verb, &webhook_verb, &sinks_verb, &gc_verb, &verify_verb, &export_verb, &import_verb, &doctor_verb, &backup_verb, &restore_verb, &ca_verb, &completion_verb})
    root.verbs.push_back(verb());
  for (Verb& verb : root.verbs) say_remotely(verb, verb.name);
  return root;
}

}  // namespace berth::cli
