#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "core/result.h"
#include "daemon/deploy/instance_plan.h"

namespace berth::deploy {

/// What templates may name: `${NAME}` of the environment, `${secret:NAME}`, `${node.name}`, `${node.labels.x}`.
Values template_values(const NodeFacts& node, const std::map<std::string, std::string>& environment,
                       const std::map<std::string, std::string>& secrets);

/// All that the templates of an instance with this environment may name. A template is rendered for each process and hook, also for those that have no port: the
/// ports of others are 0 there.
Values rendering_values(const NodeFacts& node, const bundle::Manifest& manifest, const std::map<std::string, std::string>& environment,
                        const std::map<std::string, std::string>& secrets);

/// A release's templates as they were released, by their paths below `config/`.
using Templates = std::map<std::string, std::string>;

/// Whether a file of that name is a template.
bool is_template(std::string_view name);

/// The templates in `from`, a release's `config/`; none where that is not there. Blocking.
Result<Templates> read_templates(const std::filesystem::path& from);

/// Whether each process's instances could be given these templates rendered, as far as that is known before any is started: labels of the node, variables and
/// secrets are there. Ports, which an instance is given when it starts, are taken as given. Fails as rendering does, with the template's path.
Result<void> check_templates(const NodeFacts& node, const bundle::Manifest& manifest, const Templates& templates, const std::map<std::string, std::string>& secrets);

/// Makes the folder `to` (which is not there yet) out of `from`, a slot's `config/`: files ending in `.tmpl` are rendered to the name without it, others
/// copied. All of it belongs to `who` and is read-only and closed to others. A `from` that is not there counts as empty.
Result<void> render_config(const std::filesystem::path& from, const std::filesystem::path& to, RunAs who,
                           const std::map<std::string, std::string>& values);

/// Makes the folder `to` (which is not there yet) with a file for each secret, named as its variable, for `who` alone.
Result<void> write_secrets(const std::filesystem::path& to, RunAs who, const std::map<std::string, std::string>& secrets);

}  // namespace berth::deploy
