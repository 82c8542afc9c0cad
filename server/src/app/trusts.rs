//! The trusts that rule, and what they would make of a token.

use std::collections::BTreeSet;

use assent_core::credential::Secret;
use assent_core::token::UnverifiedToken;
use assent_core::trust::Trust;
use assent_core::wire;

use crate::app::{AppError, Authority, Caller};

impl Authority {
    /// Every trust that rules, of files and of the API. For people and administrators.
    ///
    /// # Errors
    /// [`AppError::NotForWorkloads`].
    pub async fn ruling_trusts(&self, caller: &Caller) -> Result<wire::RulingTrusts, AppError> {
        caller.check_reader()?;
        let documents = self.ledger.documents().await?;
        let kept: BTreeSet<&str> = documents
            .iter()
            .filter(|held| held.text.is_some())
            .filter_map(|held| held.name.strip_prefix("trusts/"))
            .collect();
        let policy = self.policy();
        let told = |trust: &Trust| wire::RulingTrust::new(trust, kept.contains(trust.name()));
        Ok(wire::RulingTrusts { trusts: policy.trusts().map(told).collect() })
    }

    /// What would become of a token. It is neither spent nor kept, and nobody is let in. Only for
    /// administrators: others are not told why a token is refused.
    ///
    /// # Errors
    /// [`AppError::NotAdministrator`].
    pub async fn try_token(
        &self,
        caller: &Caller,
        presented: &Secret,
    ) -> Result<wire::TokenTried, AppError> {
        caller.check_administrator()?;
        let mut tried = wire::TokenTried {
            accepted: false,
            problem: None,
            issuer: None,
            audiences: BTreeSet::new(),
            trusts: Vec::new(),
            principal: None,
        };
        let token = match UnverifiedToken::read(presented.expose()) {
            Ok(token) => token,
            Err(error) => {
                return Ok(wire::TokenTried { problem: Some(error.to_string()), ..tried });
            }
        };
        let issuer = token.unverified_issuer();
        tried.issuer = Some(issuer.to_owned());
        tried.audiences = token.unverified_audiences().clone();
        if issuer == self.base {
            tried.problem = Some("this server issued it itself".to_owned());
            return Ok(tried);
        }
        let policy = self.policy();
        let mut taken = Vec::new();
        for trust in policy.trusts().filter(|trust| trust.issuer() == issuer) {
            let problem = match tried.audiences.contains(trust.audience()) {
                false => Some(format!("it is not for `{}`", trust.audience())),
                true => match self.judged(&token, trust).await {
                    Ok(admitted) => match self.check_still_stands(trust, presented).await {
                        Ok(()) => {
                            taken.push(admitted.principal);
                            None
                        }
                        Err(objection) => Some(objection.reason),
                    },
                    Err(objection) => Some(objection.reason),
                },
            };
            let trust = trust.name().to_owned();
            tried.trusts.push(wire::TrustVerdict { trust, problem });
        }
        tried.problem = match (tried.trusts.len(), taken.len()) {
            (0, _) => Some("no trust is for its issuer".to_owned()),
            (_, 2..) => Some("more than one trust takes it, so none does".to_owned()),
            (_, 0 | 1) => None,
        };
        tried.principal = taken.first().filter(|_| taken.len() == 1).map(Into::into);
        tried.accepted = tried.principal.is_some();
        Ok(tried)
    }
}
