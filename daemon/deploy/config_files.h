#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "core/result.h"
#include "daemon/deploy/instance_plan.h"

namespace berth::deploy {

/// What templates may name: `${NAME}` of the environment, `${secret:NAME}`, `${node.name}`, `${node.labels.x}`.
Values template_values(const NodeFacts& node, const std::map<std::string, std::string>& environment,
                       const std::map<std::string, std::string>& secrets);

/// Makes the folder `to` (which is not there yet) out of `from`, a slot's `config/`: files ending in `.tmpl` are rendered to the name without it, others
/// copied. All of it belongs to `who` and is read-only and closed to others. A `from` that is not there counts as empty.
Result<void> render_config(const std::filesystem::path& from, const std::filesystem::path& to, RunAs who,
                           const std::map<std::string, std::string>& values);

/// Makes the folder `to` (which is not there yet) with a file for each secret, named as its variable, for `who` alone.
Result<void> write_secrets(const std::filesystem::path& to, RunAs who, const std::map<std::string, std::string>& secrets);

}  // namespace berth::deploy
