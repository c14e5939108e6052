#include "daemon/clients.h"

namespace berth {
namespace {

api::Role role_of(config::ClientRole role) {
  switch (role) {
    case config::ClientRole::viewer: return api::Role::viewer;
    case config::ClientRole::deployer: return api::Role::deployer;
    case config::ClientRole::operator_: return api::Role::operator_;
    case config::ClientRole::admin: return api::Role::admin;
  }
  return api::Role::viewer;
}

}  // namespace

std::vector<api::Client> clients_of(const config::Config& config) {
  std::vector<api::Client> clients;
  for (const config::ApiClient& client : config.clients) clients.push_back({client.name, role_of(client.role), client.apps});
  return clients;
}

}  // namespace berth
