#pragma once

#include <string>
#include <vector>

#include "core/spec/sandbox.h"
#include "daemon/keeper/launch_file.h"

namespace berth::deploy {

/// What the keeper is to do for the words about paths of a process's sandbox, in the order in which it is done: what lies in something else comes after it.
/// `writable` and `readable` are the app's own folders, which stay what they are whatever the sandbox says, unless it names them.
std::vector<keeper::Confinement> confinement_of(const spec::Sandbox& sandbox, const std::vector<std::string>& writable,
                                                const std::vector<std::string>& readable);

}  // namespace berth::deploy
