#pragma once

#include <string>
#include <vector>

#include "core/result.h"
#include "daemon/supervise/process_tree.h"

namespace berth::supervise {

/// Writes down which processes of an instance did not end, in a file `<socket>.<pid>.left` beside its keeper's socket: whoever asks later knows of them, and
/// so does a berthd that begins anew. A reboot ends the processes and takes the file. `instance` may be empty: it is not known whose they are. Blocking.
Result<void> note_left_behind(const std::string& socket_path, const std::string& instance, const Orphan& orphan);

/// The processes that were written down below `keepers` and still live, of the app's instances and of those that nobody knows: "web/web.1@v1, pid 4242".
/// They are killed once more; files of which none lives are removed. Blocking.
std::vector<std::string> left_behind(const std::string& keepers, const std::string& app);

}  // namespace berth::supervise
