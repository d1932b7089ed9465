#include "waf/cost/portable_patterns.h"

#include <hs/hs.h>

namespace gatehouse::waf {

bool compile_portable_patterns = false;

}  // namespace gatehouse::waf

extern "C" hs_error_t hs_compile_multi(const char* const* expressions, const unsigned* flags, const unsigned* ids,
                                       unsigned count, unsigned mode, const hs_platform_info_t* platform,
                                       hs_database_t** database, hs_compile_error_t** error) {
  const hs_platform_info_t avx2{HS_TUNE_FAMILY_GENERIC, HS_CPU_FEATURES_AVX2, 0, 0};
  return hs_compile_ext_multi(expressions, flags, ids, nullptr, count, mode,
                              gatehouse::waf::compile_portable_patterns ? &avx2 : platform, database, error);
}
