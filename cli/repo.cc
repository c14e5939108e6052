#include "cli/repo.h"

#include "cli/verbs.h"

namespace berth::cli {

Verb repo_verb() {
  Verb root{.name = "repo",
            .summary = "Make and keep a repository",
            .examples = {"berth repo init ./repo", "berth repo status ./repo", "berth repo delegate ./repo web --key ci-web.pub",
                         "berth repo accept ./repo"}};
  for (Verb (*verb)() : {&repo_init_verb, &repo_status_verb, &repo_verify_verb, &repo_refresh_verb, &repo_rotate_verb,
                         &repo_sign_verb, &repo_delegate_verb, &repo_revoke_verb, &repo_accept_verb, &repo_gc_verb, &repo_push_verb})
    root.verbs.push_back(verb());
  return root;
}

}  // namespace berth::cli
