#pragma once
// The columns of identity's tables that are sealed (schema.cc), with what their values are bound to: whoever owns a
// record seals it with the path that is here, and a rotation of the keyring walks over all of them.

#include <array>
#include <span>

#include "secrets/sealed_column.h"

namespace gatehouse::identity {

using secrets::SealedColumn;

inline constexpr SealedColumn kUserProfile{"users", "id", "profile_sealed"};
inline constexpr SealedColumn kFactorData{"factors", "id", "data_sealed"};
inline constexpr SealedColumn kTicketData{"tickets", "token_hash", "data_sealed", SealedColumn::Id::bytes};
inline constexpr SealedColumn kInteractionData{"interactions", "token_hash", "data_sealed", SealedColumn::Id::bytes};
inline constexpr SealedColumn kPushedRequest{"pushed_requests", "uri_hash", "parameters_sealed",
                                             SealedColumn::Id::bytes};
inline constexpr SealedColumn kLinkedSubject{"linked_logins", "login_hash", "subject_sealed", SealedColumn::Id::bytes};
inline constexpr SealedColumn kSigningKey{"signing_keys", "id", "key_sealed"};
inline constexpr SealedColumn kAuditDetails{"audit_events", "id", "details_sealed"};

inline constexpr std::array kSealedColumns{kUserProfile,   kFactorData,    kTicketData, kInteractionData,
                                           kPushedRequest, kLinkedSubject, kSigningKey, kAuditDetails};

}  // namespace gatehouse::identity
