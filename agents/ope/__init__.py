"""Off-policy evaluation: what a policy would have earned, from the logged decisions of another one.

``agents.ope.evaluation.evaluate_off_policy`` does all of it; the other modules are its steps:

* ``targets``: the probabilities of the policy that is to be judged;
* ``trajectories``: the log as arrays of episodes x steps;
* ``weights``: how much likelier the target is to do what was done;
* ``fitted_q``: what each decision is worth under the target, as far as the log tells;
* ``estimators``: the numbers; ``trust``: whether to believe them.
"""
