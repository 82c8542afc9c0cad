terraform import assent_trust.deploy github-deploy
