#include <cstdlib>

#include "cli/completion.h"
#include "cli/verbs.h"

namespace berth::cli {

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
                  {"--socket", "PATH", "berthd's socket ($BERTH_SOCKET; default /run/berth/api.sock)", &console.socket, Completes::file}},
  };
  for (Verb (*verb)() : {&new_verb, &run_verb, &repo_verb, &build_verb, &builds_verb, &release_verb, &promote_verb, &channel_verb, &inspect_verb, &diff_verb, &releases_verb, &apps_verb, &deploy_verb, &status_verb,
                         &logs_verb, &history_verb, &events_verb, &revert_verb, &hold_verb, &resume_verb, &mark_verb, &node_verb, &remove_verb, &exec_verb, &run_job_verb, &restart_verb, &stop_verb, &start_verb,
                         &scale_verb, &pin_verb, &unpin_verb, &cancel_verb, &gc_verb, &verify_verb, &export_verb, &import_verb, &completion_verb, &complete_verb})
    root.verbs.push_back(verb());
  return root;
}

}  // namespace berth::cli
