#pragma once

#include "cli/command.h"

namespace berth::cli {

// A file for each; every function describes its verb and what it does.
Verb repo_verb();
Verb new_verb();
Verb run_verb();
Verb build_verb();
Verb builds_verb();
Verb release_verb();
Verb promote_verb();
Verb channel_verb();
Verb inspect_verb();
Verb diff_verb();
Verb releases_verb();
Verb apps_verb();
Verb deploy_verb();
Verb status_verb();
Verb logs_verb();
Verb history_verb();
Verb why_verb();
Verb events_verb();
Verb revert_verb();
Verb hold_verb();
Verb resume_verb();
Verb mark_verb();
Verb node_verb();
Verb webhook_verb();
Verb sinks_verb();
Verb remove_verb();
Verb restart_verb();
Verb exec_verb();
Verb run_job_verb();
Verb stop_verb();
Verb start_verb();
Verb scale_verb();
Verb pin_verb();
Verb unpin_verb();
Verb cancel_verb();
Verb gc_verb();
Verb verify_verb();
Verb export_verb();
Verb import_verb();
Verb doctor_verb();
Verb backup_verb();
Verb restore_verb();
Verb node_enrol_verb();
Verb node_csr_verb();
Verb ca_verb();

/// The whole tree: `berth` with its common options, which go into `console`, and all verbs.
Verb berth_program(Console& console);

}  // namespace berth::cli
